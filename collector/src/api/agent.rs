//! What a request says of the program that sent it: families of browser and system, and whether it
//! calls itself a robot. A short table, because families are all that is kept; no version, nothing
//! that would help to tell one person from another. Knows no HTTP server but its headers.

use crate::ingest::record::Agent;
use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;

/// Longest header that is looked at, bytes; what goes past it is cut off.
const HEADER_BYTES_MAX: usize = 512;
/// The family of what is in no table.
const OTHER: &str = "other";

/// Brands in `Sec-CH-UA` and their families, the more special first.
const BRANDS: [(&str, &str); 8] = [
    ("headlesschrome", "Chrome"),
    ("microsoft edge", "Edge"),
    ("opera", "Opera"),
    ("samsung internet", "Samsung Internet"),
    ("brave", "Brave"),
    ("yandex", "Yandex"),
    ("vivaldi", "Vivaldi"),
    ("google chrome", "Chrome"),
];
/// Words of a `User-Agent` and their families. Everybody calls themselves by the names of others, so
/// the first that is found counts.
const BROWSERS: [(&str, &str); 17] = [
    ("edg/", "Edge"),
    ("edga/", "Edge"),
    ("edgios/", "Edge"),
    ("opr/", "Opera"),
    ("opera", "Opera"),
    ("samsungbrowser/", "Samsung Internet"),
    ("yabrowser/", "Yandex"),
    ("vivaldi/", "Vivaldi"),
    ("duckduckgo/", "DuckDuckGo"),
    ("firefox/", "Firefox"),
    ("fxios/", "Firefox"),
    ("crios/", "Chrome"),
    ("headlesschrome/", "Chrome"),
    ("chrome/", "Chrome"),
    ("chromium/", "Chrome"),
    ("version/", "Safari"),
    ("applewebkit/", "Safari"),
];
/// The same of systems; `Sec-CH-UA-Platform` is searched for them too.
const SYSTEMS: [(&str, &str); 11] = [
    ("windows", "Windows"),
    ("iphone", "iOS"),
    ("ipad", "iOS"),
    ("ios", "iOS"),
    ("android", "Android"),
    ("cros ", "ChromeOS"),
    ("chrome os", "ChromeOS"),
    ("chromium os", "ChromeOS"),
    ("macintosh", "macOS"),
    ("macos", "macOS"),
    ("linux", "Linux"),
];
/// Words by which programs say that no person is there.
const ROBOTS: [&str; 12] = [
    "headless",
    "bot/",
    "bot;",
    "bot ",
    "crawler",
    "spider",
    "phantomjs",
    "slimerjs",
    "puppeteer",
    "playwright",
    "selenium",
    "lighthouse",
];

/// What the headers of a request say, with the country of its sender's network.
pub(super) fn agent(request: &HttpRequest, country: String) -> Agent {
    let headers = request.headers();
    let agent = of(
        &text(headers, "user-agent"),
        &text(headers, "sec-ch-ua"),
        &text(headers, "sec-ch-ua-platform"),
    );
    Agent { country, ..agent }
}

/// A header in lower case.
fn text(headers: &HeaderMap, name: &str) -> String {
    let value = headers.get(name).map_or(&[][..], |value| value.as_bytes());
    String::from_utf8_lossy(&value[..value.len().min(HEADER_BYTES_MAX)]).to_lowercase()
}

/// All in lower case.
fn of(user_agent: &str, brands: &str, platform: &str) -> Agent {
    let browser = find(&BRANDS, brands).or_else(|| find(&BROWSERS, user_agent));
    let os = find(&SYSTEMS, platform).or_else(|| find(&SYSTEMS, user_agent));
    let robot = |text: &str| ROBOTS.iter().any(|word| text.contains(word)) || text.ends_with("bot");
    Agent {
        browser: browser.unwrap_or(OTHER).to_owned(),
        os: os.unwrap_or(OTHER).to_owned(),
        country: String::new(),
        named: !user_agent.is_empty(),
        robot: robot(user_agent) || robot(brands),
    }
}

fn find(table: &[(&str, &'static str)], text: &str) -> Option<&'static str> {
    let found = table.iter().find(|(word, _)| text.contains(word));
    found.map(|(_, family)| *family)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(user_agent: &str, browser: &str, os: &str, robot: bool) {
        let found = of(&user_agent.to_lowercase(), "", "");
        let seen = (found.browser.as_str(), found.os.as_str(), found.robot);
        assert_eq!(seen, (browser, os, robot), "{user_agent}");
    }

    #[test]
    fn families_are_told_from_the_user_agent() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        let windows = format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) {webkit}");
        check(
            &format!("{windows} Chrome/140.0.0.0 Safari/537.36"),
            "Chrome",
            "Windows",
            false,
        );
        check(
            &format!("{windows} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"),
            "Edge",
            "Windows",
            false,
        );
        check(
            &format!("{windows} Chrome/140.0.0.0 Safari/537.36 OPR/122.0.0.0"),
            "Opera",
            "Windows",
            false,
        );
        check(
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox",
            "Linux",
            false,
        );
        check(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
             Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
            "Safari",
            "iOS",
            false,
        );
        check(
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
             Version/18.5 Safari/605.1.15",
            "Safari",
            "macOS",
            false,
        );
        check(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
             Gecko) CriOS/140.0.0.0 Mobile/15E148 Safari/604.1",
            "Chrome",
            "iOS",
            false,
        );
        check(
            "Mozilla/5.0 (Linux; Android 15; SM-S931B) AppleWebKit/537.36 (KHTML, like Gecko) \
             SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
            "Samsung Internet",
            "Android",
            false,
        );
        check(
            &format!(
                "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {webkit} Chrome/140.0.0.0 Safari/537.36"
            ),
            "Chrome",
            "ChromeOS",
            false,
        );
        check("", OTHER, OTHER, false);
        check("meter-firmware/3", OTHER, OTHER, false);
    }

    #[test]
    fn programs_that_say_so_are_robots() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        check(
            &format!(
                "Mozilla/5.0 (X11; Linux x86_64) {webkit} HeadlessChrome/140.0.0.0 Safari/537.36"
            ),
            "Chrome",
            "Linux",
            true,
        );
        check(
            "Mozilla/5.0 (compatible; Examplebot/2.1; +http://example.com/bot.html)",
            OTHER,
            OTHER,
            true,
        );
        check("examplebot", OTHER, OTHER, true);
        assert!(!of("meter", "", "").robot);
        assert!(of("meter", "", "").named && !of("", "", "").named);
    }

    #[test]
    fn hints_come_before_the_user_agent() {
        let frozen = "mozilla/5.0 (windows nt 10.0; win64; x64) applewebkit/537.36 (khtml, like gecko) \
                      chrome/140.0.0.0 safari/537.36";
        let brands = r#""chromium";v="140", "brave";v="140", "not=a?brand";v="24""#;
        let found = of(frozen, brands, r#""chrome os""#);
        assert_eq!(
            (found.browser.as_str(), found.os.as_str()),
            ("Brave", "ChromeOS")
        );
        let plain = r#""chromium";v="140", "not=a?brand";v="24""#;
        assert_eq!(of(frozen, plain, "").browser, "Chrome");
    }
}
