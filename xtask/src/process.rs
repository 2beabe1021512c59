//! Running other programs: each with its folder, its log file and a word on how to mend it.
//!
//! A [`Task`] runs to its end; a [`Service`] runs until it is stopped, and is stopped whenever its
//! owner goes away: by return, error, panic or death of this process. Knows no command by name.

use anyhow::{Context, Result, anyhow, bail};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Lines of a failed program's output that are shown.
const SHOWN_LINES_MAX: usize = 60;
/// How long a service may take to drain before it is killed.
const STOP_WAIT_MAX: Duration = Duration::from_secs(20);

/// What a program ended with, what it said, and where that is kept.
pub(crate) type Ran = (ExitStatus, String, PathBuf);

/// A program to run to its end.
#[derive(Clone)]
pub(crate) struct Task {
    program: OsString,
    args: Vec<OsString>,
    folder: PathBuf,
    variables: Vec<(OsString, OsString)>,
    mend: String,
}

impl Task {
    pub(crate) fn new(program: impl AsRef<OsStr>, folder: &Path) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            folder: folder.to_owned(),
            variables: Vec::new(),
            mend: String::new(),
        }
    }

    /// `cargo`, the same that runs this.
    pub(crate) fn cargo(folder: &Path) -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Self::new(cargo, folder)
            .env("CARGO_TERM_COLOR", "never")
            .env("CARGO_TERM_PROGRESS_WHEN", "never")
    }

    /// Adds arguments, split at spaces.
    pub(crate) fn words(mut self, words: &str) -> Self {
        self.args
            .extend(words.split_whitespace().map(OsString::from));
        self
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables
            .push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// What to do when it fails, for a person.
    pub(crate) fn mend(mut self, mend: &str) -> Self {
        mend.clone_into(&mut self.mend);
        self
    }

    /// Runs it with its output in `target/xtask/NAME.log`; returns that output.
    ///
    /// # Errors
    /// It cannot be started, or ends with a failure: then with the end of its output.
    pub(crate) fn run(&self, name: &str) -> Result<String> {
        let (status, text, log) = self.run_to_log(name)?;
        if status.success() {
            return Ok(text);
        }
        let mut message = format!("{}\n{self} ended with {status}", tail(&text));
        message += &format!(
            "\n  in    {}\n  log   {}",
            self.folder.display(),
            log.display()
        );
        if !self.mend.is_empty() {
            message += &format!("\n  mend  {}", self.mend);
        }
        bail!(message)
    }

    /// As [`Task::run`], but a failure is the caller's to judge.
    pub(crate) fn run_to_log(&self, name: &str) -> Result<Ran> {
        let log = log_path(name)?;
        let out = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let status = self
            .command()
            // Its output goes to a file, where colours are noise.
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .status()
            .map_err(|error| self.not_started(&error))?;
        let text = String::from_utf8_lossy(&std::fs::read(&log)?).into_owned();
        Ok((status, text, log))
    }

    /// Runs it before the eyes of whoever started this: its output is theirs.
    pub(crate) fn watch(&self) -> Result<ExitStatus> {
        let status = self.command().status();
        status.map_err(|error| self.not_started(&error))
    }

    /// Runs it and returns what it wrote to its standard output.
    pub(crate) fn read(&self) -> Result<String> {
        let output = self
            .command()
            .output()
            .map_err(|error| self.not_started(&error))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("{}\n{self} ended with {}", said.trim(), output.status);
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Starts it as a service with its output in `target/xtask/NAME.log`.
    pub(crate) fn start(&self, name: &str) -> Result<Service> {
        let log = log_path(name)?;
        let out = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let itself = std::env::current_exe().context("cannot find this program's own file")?;
        let mut command = Command::new(itself);
        command
            .arg("attended")
            .arg(std::process::id().to_string())
            .arg("--")
            .arg(&self.program);
        let child = command
            .args(&self.args)
            .current_dir(&self.folder)
            .envs(self.variables.iter().cloned())
            // Its output goes to a file, where colours are noise.
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .map_err(|error| self.not_started(&error))?;
        Ok(Service {
            name: name.to_owned(),
            child,
            log,
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .current_dir(&self.folder)
            .envs(self.variables.iter().cloned());
        command
    }

    fn not_started(&self, error: &std::io::Error) -> anyhow::Error {
        anyhow!("cannot start {self} in {}: {error}", self.folder.display())
    }
}

impl std::fmt::Display for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let program = Path::new(&self.program)
            .file_name()
            .unwrap_or(&self.program);
        write!(f, "`{}", program.to_string_lossy())?;
        for arg in &self.args {
            write!(f, " {}", arg.to_string_lossy())?;
        }
        f.write_str("`")
    }
}

/// A program that runs until it is stopped. Dropping it stops it.
pub(crate) struct Service {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Waits until a line of its output has `start` in it; returns what follows `start` there.
    ///
    /// # Errors
    /// It ended, or the wait did.
    pub(crate) fn wait_for(&mut self, start: &str, wait_max: Duration) -> Result<String> {
        let begun = Instant::now();
        loop {
            let text = String::from_utf8_lossy(&std::fs::read(&self.log)?).into_owned();
            // Only whole lines: the last one may still be being written.
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            if let Some(rest) = whole.lines().find_map(|line| line.split_once(start)) {
                return Ok(rest.1.trim().to_owned());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "{}\n{} ended with {status} before it said {start:?}",
                    tail(&text),
                    self.name
                );
            }
            if begun.elapsed() > wait_max {
                let waited = wait_max.as_secs();
                bail!(
                    "{}\n{} did not say {start:?} within {waited} s",
                    tail(&text),
                    self.name
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it was started as.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The end of its output.
    pub(crate) fn said(&self) -> String {
        tail(&String::from_utf8_lossy(
            &std::fs::read(&self.log).unwrap_or_default(),
        ))
    }

    /// Asks it to end, waits, and kills it when it does not.
    ///
    /// # Errors
    /// It had to be killed, or ended with a failure.
    pub(crate) fn stop(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            return self.judged(status);
        }
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        let begun = Instant::now();
        while begun.elapsed() < STOP_WAIT_MAX {
            if let Some(status) = self.child.try_wait()? {
                return self.judged(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.child.kill()?;
        self.child.wait()?;
        bail!(
            "{} did not end within {} s and was killed",
            self.name,
            STOP_WAIT_MAX.as_secs()
        )
    }

    fn judged(&self, status: ExitStatus) -> Result<()> {
        use std::os::unix::process::ExitStatusExt;
        let asked_to = status.signal() == Some(15) || status.signal() == Some(2);
        if status.success() || asked_to {
            return Ok(());
        }
        bail!("{}\n{} ended with {status}", self.said(), self.name)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("{error:#}");
        }
    }
}

/// Becomes `command`, having asked the kernel to end it when the process `parent` dies. This is
/// how a service is started, so that not even a kill of its owner leaves it behind.
///
/// # Errors
/// Always: it returns only when the program cannot be started.
pub(crate) fn attend(parent: u32, command: &[OsString]) -> Result<()> {
    use std::os::unix::process::CommandExt;
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    let parent_now = rustix::process::getppid().map_or(0, |id| id.as_raw_nonzero().get());
    if i64::from(parent_now) != i64::from(parent) {
        bail!("the process that wanted this service has ended");
    }
    let (program, args) = command
        .split_first()
        .context("there is no program to run")?;
    let error = Command::new(program).args(args).exec();
    Err(anyhow!(
        "cannot start {}: {error}",
        program.to_string_lossy()
    ))
}

/// The end of a text, without cargo's lines on what it is doing.
fn tail(text: &str) -> String {
    let noise = [
        "   Compiling ",
        "    Checking ",
        "    Blocking ",
        "  Downloaded ",
    ];
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !noise.iter().any(|start| line.starts_with(start)))
        .collect();
    lines[lines.len().saturating_sub(SHOWN_LINES_MAX)..].join("\n")
}

fn log_path(name: &str) -> Result<PathBuf> {
    let folder = crate::root().join("target/xtask");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder.join(format!("{}.log", name.replace([' ', '/', ':'], "-"))))
}
