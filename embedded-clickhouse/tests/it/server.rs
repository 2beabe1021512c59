//! A server process on a free port and a folder of its own. Ends with the test, however that ends.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const STOP_MAX: Duration = Duration::from_secs(30);

pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    pub(crate) password: String,
    pub(crate) folder: PathBuf,
}

/// The answer of one HTTP exchange by curl.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) exit: i32,
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.head.lines().rev().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    }
}

pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_embedded-clickhouse"));
    command
        .args(["--listen", "127.0.0.1:0", "--data"])
        .arg(folder);
    command.env_remove("RUST_BACKTRACE");
    command
}

impl Server {
    pub(crate) fn start(folder: &Path) -> Self {
        let data = folder.join("data");
        let analyst = folder.join("analyst");
        std::fs::write(&analyst, "analyst-secret\n").unwrap();
        let mut child = command(&data)
            .arg("--analyst-password-file")
            .arg(&analyst)
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(folder.join("stderr")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let Some(url) = line.trim().strip_prefix("listening on ") else {
            let _ = child.kill();
            let log = std::fs::read_to_string(folder.join("stderr")).unwrap_or_default();
            panic!("the server did not start: {log}");
        };
        let url = url.to_owned();
        let password = std::fs::read_to_string(data.join("password")).unwrap();
        Self {
            child,
            url,
            password,
            folder: folder.to_owned(),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and the exit it must lead to.
    pub(crate) fn stop(mut self) {
        let sent = Command::new("kill")
            .args(["-TERM", &self.pid().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                let log = std::fs::read_to_string(self.folder.join("stderr")).unwrap();
                assert!(status.success(), "SIGTERM led to {status}: {log}");
                return;
            }
            assert!(begun.elapsed() < STOP_MAX, "SIGTERM did not end the server");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// curl as `default`, with extra arguments; `target` follows the server's address.
    pub(crate) fn curl(&self, target: &str, arguments: &[&str]) -> Answer {
        let user = format!("default:{}", self.password);
        self.curl_as(&user, target, arguments, b"")
    }

    /// curl with a body from standard input if it is not empty.
    pub(crate) fn curl_as(
        &self,
        user: &str,
        target: &str,
        arguments: &[&str],
        body: &[u8],
    ) -> Answer {
        let input = tempfile::NamedTempFile::new_in(&self.folder).unwrap();
        std::fs::write(input.path(), body).unwrap();
        let head = tempfile::NamedTempFile::new_in(&self.folder).unwrap();
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-m", "60", "-o", "-", "-D"])
            .arg(head.path());
        if !user.is_empty() {
            curl.args(["-u", user]);
        }
        if !body.is_empty() {
            curl.arg("--data-binary")
                .arg(format!("@{}", input.path().display()));
        }
        let output = curl
            .args(arguments)
            .arg(format!("{}{target}", self.url))
            .output()
            .expect("curl is needed: run `apt-get install curl`");
        let head = std::fs::read_to_string(head.path()).unwrap();
        let status = head
            .lines()
            .rfind(|line| line.starts_with("HTTP/"))
            .and_then(|line| line.split(' ').nth(1));
        Answer {
            exit: output.status.code().unwrap(),
            status: status.and_then(|status| status.parse().ok()).unwrap_or(0),
            head,
            body: output.stdout,
        }
    }

    /// Runs a statement that must succeed; its result without the last line end.
    pub(crate) fn sql(&self, statement: &str) -> String {
        let answer = self.curl_as(
            &format!("default:{}", self.password),
            "/",
            &[],
            statement.as_bytes(),
        );
        assert_eq!(answer.status, 200, "{statement}: {}", answer.text());
        answer.text().trim_end().to_owned()
    }

    /// Runs a statement that must fail; status and code.
    pub(crate) fn error(&self, user: &str, target: &str, statement: &str) -> (u16, String) {
        let answer = self.curl_as(user, target, &[], statement.as_bytes());
        let code = answer
            .header("X-ClickHouse-Exception-Code")
            .unwrap_or_default();
        assert!(
            answer
                .text()
                .contains(&format!("Code: {code}. DB::Exception: ")),
            "{statement}: {}",
            answer.text()
        );
        (answer.status, code)
    }

    /// Resident memory in MiB.
    pub(crate) fn resident_mib(&self) -> u64 {
        let mut status = String::new();
        std::fs::File::open(format!("/proc/{}/status", self.pid()))
            .unwrap()
            .read_to_string(&mut status)
            .unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
            / 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
