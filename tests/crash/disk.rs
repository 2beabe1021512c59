//! Disks of their own for processes to lose or to fill: a file with ext4 in it, of which a power cut
//! leaves what had reached the file; and a small one in memory. Needs root. Knows no process but those
//! it is told to hold still.
//!
//! What a cut leaves: ext4 over a loop device writes to the image what is synced and, in its own time,
//! the rest. Processes are stopped, and the image is copied without any sync. What they wrote and never
//! synced is in the page cache of the mounted file system and not in the copy. The copy is taken again
//! when the device was written to meanwhile, so it is one moment's. A disk that loses what it was told to
//! flush is not played.

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Size of the image; it is sparse.
const IMAGE_BYTES: u64 = 1 << 30;
/// Size of the small disk.
const SMALL_BYTES: u64 = 96 << 20;
/// How long processes may take to stand still, or to let go of a disk.
const WAIT: Duration = Duration::from_secs(30);

/// What a disk is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// ext4 in a file.
    Image,
    /// Memory, and little of it.
    Small,
}

/// A mounted disk. It is gone when this is dropped.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    kind: Kind,
    image: PathBuf,
    copies: u32,
}

impl Disk {
    /// Makes and mounts one in a folder.
    ///
    /// # Errors
    /// It is not allowed here.
    pub(super) fn mount(desk: &Path, kind: Kind) -> Result<Self> {
        let disk = Self {
            folder: desk.join("disk"),
            kind,
            image: desk.join("image-0"),
            copies: 0,
        };
        std::fs::create_dir_all(&disk.folder)?;
        match kind {
            Kind::Image => {
                File::create_new(&disk.image)?.set_len(IMAGE_BYTES)?;
                tool("mkfs.ext4", &["-q", "-F"], &[&disk.image])?;
                disk.mount_image()?;
            }
            Kind::Small => {
                let size = format!("size={SMALL_BYTES}");
                let options = ["-t", "tmpfs", "-o", size.as_str(), "upriver-crash"];
                tool("mount", &options, &[&disk.folder])?;
            }
        }
        Ok(disk)
    }

    /// Where it is mounted.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn mount_image(&self) -> Result<()> {
        // The journal is committed when something is synced and hardly ever by itself: the worst case.
        tool(
            "mount",
            &["-o", "loop,commit=300"],
            &[&self.image, &self.folder],
        )
    }

    /// Stops the processes and takes what a power cut in this moment would leave.
    ///
    /// # Errors
    /// They do not stop, or the image cannot be copied.
    pub(super) fn freeze(&mut self, processes: &[Pid]) -> Result<PathBuf> {
        for process in processes {
            kill_process(*process, Signal::STOP)?;
        }
        let deadline = Instant::now() + WAIT;
        while !processes.iter().all(|process| stands_still(*process)) {
            ensure!(Instant::now() < deadline, "a process did not stand still");
            std::thread::sleep(Duration::from_millis(1));
        }
        self.copies += 1;
        let copy = self.image.with_file_name(format!("image-{}", self.copies));
        loop {
            let before = self.written()?;
            tool("cp", &["--sparse=always"], &[&self.image, &copy])?;
            if self.written()? == before {
                return Ok(copy);
            }
            ensure!(Instant::now() < deadline, "the disk was never at rest");
        }
    }

    /// The power is back: what was left is what is there. The processes must have ended.
    ///
    /// # Errors
    /// It cannot be mounted: the file system did not survive.
    pub(super) fn come_back(&mut self, left: PathBuf) -> Result<()> {
        unmount(&self.folder)?;
        std::fs::remove_file(&self.image)?;
        self.image = left;
        self.mount_image()
    }

    /// Sectors written to the device of the image so far.
    fn written(&self) -> Result<u64> {
        let output = Command::new("losetup")
            .arg("-n")
            .args(["-O", "NAME", "-j"])
            .arg(&self.image)
            .output()?;
        let name = String::from_utf8(output.stdout)?;
        let name = name
            .trim()
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned();
        let stat = std::fs::read_to_string(format!("/sys/block/{name}/stat"))?;
        let sectors = stat
            .split_whitespace()
            .nth(6)
            .context("no count of sectors")?;
        Ok(sectors.parse()?)
    }

    /// Leaves no byte free.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn fill(&self) -> Result<()> {
        let mut ballast = File::create(self.ballast())?;
        for piece in [1 << 20, 4_096, 1] {
            while ballast.write_all(&vec![7; piece]).is_ok() {}
        }
        Ok(())
    }

    /// Gives back what filled it.
    ///
    /// # Errors
    /// It cannot be removed.
    pub(super) fn free(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.ballast())?)
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(error) = unmount(&self.folder) {
            // Nobody left to tell but whoever looks.
            let _ = writeln!(
                std::io::stderr(),
                "{} stays mounted: {error:#}",
                self.folder.display()
            );
        }
        if self.kind == Kind::Image {
            let _ = std::fs::remove_file(&self.image);
        }
    }
}

/// Whether disks can be had here at all.
pub(super) fn possible() -> bool {
    let tried = || -> Result<()> {
        let desk = tempfile::tempdir()?;
        let mut disk = Disk::mount(desk.path(), Kind::Image)?;
        let left = disk.freeze(&[])?;
        disk.come_back(left)
    };
    tried().is_ok()
}

/// Whether every thread of a process is stopped.
fn stands_still(process: Pid) -> bool {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", process.as_raw_nonzero())) else {
        return true;
    };
    tasks.flatten().all(|task| {
        let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        // The state follows the name, which may hold anything but ends with the last bracket.
        let state = stat
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.chars().next());
        matches!(state, Some('T' | 'Z' | 'X') | None)
    })
}

/// Unmounts, as soon as nobody uses it.
fn unmount(folder: &Path) -> Result<()> {
    let deadline = Instant::now() + WAIT;
    loop {
        match tool("umount", &[], &[folder]) {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn tool(name: &str, words: &[&str], paths: &[&Path]) -> Result<()> {
    let output = Command::new(name)
        .args(words)
        .args(paths)
        .stdin(Stdio::null())
        .output();
    let output = output.with_context(|| format!("cannot run {name}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name}: {}", said.trim());
    Ok(())
}
