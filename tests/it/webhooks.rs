//! Webhooks of a real collector, told to the receiver that docs/webhooks.md shows.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use upriver_tests::Collector;

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// The documented receiver as a process of its own.
pub(crate) struct Receiver {
    child: Child,
    /// Where it listens.
    pub(crate) port: u16,
    lines: std::sync::mpsc::Receiver<String>,
    _folder: tempfile::TempDir,
}

impl Receiver {
    /// Starts it with this secret.
    pub(crate) fn start(secret: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let guide = upriver_tests::document("webhooks.md")?;
        let code = guide.split("```js\n").nth(1).context("no example")?;
        let code = code.split("```").next().context("no end")?;
        let file = folder.path().join("receiver.mjs");
        std::fs::write(&file, code)?;
        let mut child = Command::new("node")
            .arg(&file)
            .env("SECRET", secret)
            .env("PORT", "0")
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().context("no output")?;
        let (told, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if told.send(line).is_err() {
                    return;
                }
            }
        });
        let mut receiver = Self {
            child,
            port: 0,
            lines,
            _folder: folder,
        };
        let line = receiver.line()?;
        let port = line.strip_prefix("listening on ").context("odd line")?;
        receiver.port = port.parse()?;
        Ok(receiver)
    }

    fn line(&self) -> Result<String> {
        let patience = std::time::Duration::from_secs(60);
        self.lines
            .recv_timeout(patience)
            .context("nothing was told")
    }

    /// The next message whose signature is right.
    pub(crate) fn next(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.line()?)?)
    }

    /// Whether nothing has come that was not asked for yet.
    pub(crate) fn is_quiet(&self) -> bool {
        self.lines.try_recv().is_err()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A sites file's part with a webhook to this port.
pub(crate) fn webhook(id: &str, port: u16) -> String {
    format!(
        "\n[[site.webhook]]\nid = \"{id}\"\nurl = \"http://127.0.0.1:{port}/\"\nsecret = \"{SECRET}\"\n"
    )
}

/// The receiver that knows the secret of [`webhook`].
pub(crate) fn receiver() -> Result<Receiver> {
    Receiver::start(SECRET)
}

const SITE: &str =
    "[[site]]\nid = \"shop\"\nwrite_key = \"wk_test_0001\"\nread_token = \"rt_test_0001\"\n";

/// `upriver webhook-test`: whether it ended well, and what it said.
fn test(collector: &Collector, webhook: &str) -> Result<(bool, String)> {
    let mut command = Collector::command();
    command.args(["webhook-test", "--site", "shop", "--data"]);
    let output = command.arg(collector.data()).arg(webhook).output()?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8(text)?))
}

async fn ended(collector: &Collector, how: &str) -> Result<()> {
    let line = format!("upriver_webhooks_total{{end=\"{how}\"}} 1");
    upriver_tests::eventually("the message is done with", async || {
        let text = collector.http.get(format!("{}/metrics", collector.url));
        let text = text.send().await?.text().await?;
        Ok(text.lines().any(|one| one == line).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_test_arrives_signed_at_the_documented_receiver() -> Result<()> {
    let (receiver, stranger) = (receiver()?, Receiver::start("whsec_AAAA")?);
    let sites = [
        SITE,
        &webhook("chat", receiver.port),
        &webhook("stranger", stranger.port),
    ];
    let collector =
        Collector::start_with_sites(&sites.concat(), &["--webhook-allow-private"]).await?;
    let url = format!("{}/v1/sites/shop/webhooks/chat/test", collector.url);
    let stranger_asks = collector.http.post(url).send().await?;
    ensure!(stranger_asks.status() == 401, "{}", stranger_asks.status());
    let (done, text) = test(&collector, "mail")?;
    ensure!(!done && text.contains("there is no webhook mail"), "{text}");
    let (done, text) = test(&collector, "chat")?;
    ensure!(done && text.contains("test_"), "{text}");
    let message = receiver.next()?;
    ensure!(message["type"] == "test", "{message}");
    ensure!(message["data"]["webhook"] == "chat", "{message}");
    ended(&collector, "delivered").await?;
    // One that has another secret believes nothing.
    ensure!(test(&collector, "stranger")?.0);
    upriver_tests::eventually("it is tried again", async || {
        let text = collector.http.get(format!("{}/metrics", collector.url));
        let text = text.send().await?.text().await?;
        Ok(text.contains("upriver_webhook_retries_total").then_some(()))
    })
    .await?;
    ensure!(stranger.is_quiet(), "the stranger believed it");
    Ok(())
}

#[tokio::test]
async fn a_private_address_is_refused_unless_the_operator_says_so() -> Result<()> {
    let receiver = receiver()?;
    let sites = [SITE, &webhook("chat", receiver.port)].concat();
    let collector = Collector::start_with_sites(&sites, &[]).await?;
    ensure!(test(&collector, "chat")?.0);
    ended(&collector, "failed").await?;
    ensure!(receiver.is_quiet(), "it was reached");
    Ok(())
}
