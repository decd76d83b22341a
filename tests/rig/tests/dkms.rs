// SPDX-License-Identifier: MIT OR Apache-2.0

//! The scripts that build the module for a kernel (`dkms/`), with stand-ins for what they call:
//! what they say and leave behind when something is missing, fails or is interrupted.

// Names of faults.
#![allow(non_snake_case)]

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const RELEASE: &str = "7.9.1-test";

fn dkms(script: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../dkms")
        .join(script)
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Copies a program by another process: a file that this one has written cannot be run ("text file busy") while a child of
/// another test, just forked, still has it open.
fn install(from: &Path, to: &Path) {
    let mut install = Command::new("install");
    let status = install.args(["-D", "-m", "755"]).args([from, to]).status();
    assert!(status.unwrap().success(), "{}", to.display());
}

fn program(path: &Path, text: &str) {
    let source = path.with_extension("text");
    write(&source, &format!("#!/bin/bash\n{text}\n"));
    install(&source, path);
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A module's tree as DKMS has it, and a kernel for which its "compiler" does what `make` says.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new(make: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tree = Self(dir);
        for script in ["build", "catch-up"] {
            install(&dkms(script), &tree.path("src/dkms").join(script));
        }
        write(
            &tree.path("src/dkms.conf"),
            "BUILD_EXCLUSIVE_KERNEL_MIN=\"7.2\"\n",
        );
        program(&tree.path("src/dkms/probe"), "exit 0");
        fs::create_dir_all(tree.path("src/kmod")).unwrap();
        tree.kernel(RELEASE, "CONFIG_RUST=y", make);
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn kernel(&self, release: &str, config: &str, make: &str) {
        let dir = self.path("modules").join(release).join("build");
        write(&dir.join(".config"), &format!("{config}\n"));
        write(&dir.join("include/config/kernel.release"), release);
        write(&dir.join("rust/libkernel.rmeta"), "");
        write(&dir.join("Makefile"), &format!("modules:\n\t{make}\n"));
    }

    fn run(&self, script: &str, dpkg: bool) -> Output {
        let mut command = Command::new(self.path("src/dkms").join(script));
        if script == "build" {
            command.arg(self.path("modules").join(RELEASE).join("build"));
        }
        command
            .env("AX650_STATE", self.path("state"))
            .env("MODULES", self.path("modules"))
            .env("BOOT", self.path("boot"))
            .env("DKMS", self.path("dkms"))
            .env_remove("DPKG_MAINTSCRIPT_NAME");
        if dpkg {
            command.env("DPKG_MAINTSCRIPT_NAME", "postinst");
        }
        command.output().unwrap()
    }
}

#[test]
fn U12_a_compile_error_is_a_failure() {
    let tree = Tree::new("@echo 'error: no such symbol'; false");
    let output = tree.run("build", false);
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    let said = err(&output);
    assert!(
        said.contains("ax650: FAILED for 7.9.1-test: the module does not build"),
        "{said}"
    );
    // dpkg goes on, and what has failed is not forgotten.
    let output = tree.run("build", true);
    assert_eq!(output.status.code(), Some(77), "{}", err(&output));
    assert!(err(&output).contains("FAILED"), "not called a failure");
    program(&tree.path("dkms"), "exit 11");
    let note = tree.run("catch-up", true);
    assert!(note.status.success());
    assert!(
        err(&note).contains("*** ax650: not built for 7.9.1-test: the module does not build"),
        "{}",
        err(&note)
    );
    // Until it has been mended.
    tree.kernel(RELEASE, "CONFIG_RUST=y", "@true");
    assert!(tree.run("build", true).status.success());
    assert!(!tree.path("state/failed").join(RELEASE).exists());
}

#[test]
fn U11_a_kernel_that_loses_the_driver_is_named() {
    let tree = Tree::new("@true");
    // They have one, need none, can have none.
    tree.kernel("7.3.4-has", "CONFIG_RUST=y", "@true");
    write(
        &tree.path("modules/7.3.4-has/updates/dkms/ax650.ko.xz"),
        "module",
    );
    tree.kernel("6.12.1-old", "CONFIG_RUST=y", "@true");
    tree.kernel("7.4.0-no", "# CONFIG_RUST is not set", "@true");
    // Its kernel has gone.
    fs::create_dir_all(tree.path("modules/7.2.9-leftover/updates")).unwrap();
    // This one has got its source in the same run.
    let dkms = r#"mkdir -p "$MODULES/$3/updates/dkms"; touch "$MODULES/$3/updates/dkms/ax650.ko"; echo "$@" >>"$MODULES/../calls""#;
    program(&tree.path("dkms"), dkms);
    let output = tree.run("catch-up", true);
    assert!(output.status.success());
    assert_eq!(err(&output), "", "nothing to say");
    let calls = fs::read_to_string(tree.path("calls")).unwrap();
    assert_eq!(calls, format!("autoinstall -k {RELEASE}\n"));
    // And this one has not.
    tree.kernel("7.10.2-next", "CONFIG_RUST=y", "@true");
    let probe = "echo 'ax650: not built for 7.10.2-next: the package linux-source-7.10 is not installed' >&2; exit 77";
    program(&tree.path("src/dkms/probe"), probe);
    let output = tree.run("catch-up", true);
    assert!(output.status.success());
    let said = err(&output);
    assert_eq!(
        said.trim(),
        "*** The kernel 7.10.2-next has no driver for AX650N cards:\n\
         *** ax650: not built for 7.10.2-next: the package linux-source-7.10 is not installed\n\
         *** Afterwards run: dkms autoinstall -k 7.10.2-next"
    );
    // Nor has a kernel that came without its headers.
    fs::remove_dir_all(tree.path("modules/7.10.2-next")).unwrap();
    fs::create_dir_all(tree.path("modules/7.9.8-bare/kernel")).unwrap();
    write(&tree.path("boot/config-7.9.8-bare"), "CONFIG_RUST=y\n");
    let said = err(&tree.run("catch-up", true));
    assert!(
        said.contains("The kernel 7.9.8-bare has no driver"),
        "{said}"
    );
}

/// Headers of a kernel, and programs that pretend to make its metadata.
struct Metadata(tempfile::TempDir);

impl Metadata {
    fn new() -> Self {
        let this = Self(tempfile::tempdir().unwrap());
        let headers = this.path("src/linux-headers-7.9.1-test");
        write(
            &headers.join(".config"),
            "CONFIG_RUST=y\nCONFIG_RUSTC_VERSION_TEXT=\"rustc 1\"\n\
             CONFIG_BINDGEN_VERSION_TEXT=\"bindgen 1\"\nCONFIG_CC_VERSION_TEXT=\"pretend-cc 1\"\n",
        );
        write(
            &headers.join("Module.symvers"),
            "0x1\t_Rsymbol\tvmlinux\tEXPORT_SYMBOL_GPL\n",
        );
        write(&headers.join("Makefile"), "KBUILD_OUTPUT=/nowhere\n");
        write(&headers.join("scripts/a"), "");
        write(&headers.join("tools/a"), "");
        fs::create_dir_all(this.path("tree")).unwrap();
        fs::create_dir_all(this.path("sysroot/lib/rustlib/src/rust/library")).unwrap();
        let sysroot = this.path("sysroot");
        for (name, text) in [
            ("dpkg-query", "echo 7.9.1-1".to_owned()),
            ("bindgen", "echo bindgen 1".to_owned()),
            (
                "rustc",
                format!(
                    "[ \"$1\" = --version ] && echo rustc 1 || echo {}",
                    sysroot.display()
                ),
            ),
            (
                "make",
                "for a; do case $a in O=*) o=${a#O=} ;; esac; done\n\
                 case \" $* \" in *' modules_prepare '*)\n\
                 mkdir -p $o/rust && touch $o/rust/libkernel.rmeta $o/rust/libmacros.so\n\
                 echo 'EXPORT_SYMBOL_RUST_GPL(_Rsymbol);' >$o/rust/exports_core_generated.h ;; esac"
                    .to_owned(),
            ),
        ] {
            program(&this.path("bin").join(name), &text);
        }
        for name in [
            "pretend-cc",
            "bc",
            "bison",
            "flex",
            "openssl",
            "python3",
            "xz",
        ] {
            program(&this.path("bin").join(name), "exit 0");
        }
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn out(&self) -> PathBuf {
        self.path("store/7.9.1-test")
    }

    fn command(&self, key: &str) -> Command {
        let mut command = Command::new(dkms("rust-metadata.sh"));
        command
            .args([RELEASE.as_ref(), self.out().as_os_str()])
            .arg(self.path("tree"))
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", self.path("bin").display()),
            )
            .env("USR_SRC", self.path("src"))
            .env("TMPDIR", self.0.path())
            .env("MADE_FOR", key);
        command
    }

    fn make(&self, key: &str) {
        let output = self.command(key).output().unwrap();
        assert!(output.status.success(), "{}", err(&output));
    }

    /// What is there is whole: the key is of it, and nothing is missing.
    fn key(&self) -> Option<String> {
        let out = self.out();
        let key = fs::read_to_string(out.join("made-for")).ok()?;
        for file in [
            "rust/libkernel.rmeta",
            "rust/libmacros.so",
            "Makefile",
            ".config",
            "scripts/a",
        ] {
            assert!(out.join(file).exists(), "{file} is missing beside its key");
        }
        let makefile = fs::read_to_string(out.join("Makefile")).unwrap();
        assert_eq!(makefile, format!("KBUILD_OUTPUT={}\n", out.display()));
        Some(key.trim().to_owned())
    }

    fn left_behind(&self) -> Vec<String> {
        fs::read_dir(self.path("store"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != RELEASE)
            .collect()
    }
}

/// It is killed, as by a power failure, while it waits in one of these programs.
#[test]
fn U22_a_killed_run_leaves_all_or_nothing() {
    // With how many calls before it; what is there afterwards.
    for (name, calls, left) in [
        ("cp", 3, Some("old")),
        ("sync", 0, Some("old")),
        ("mv", 0, Some("old")),
        ("mv", 1, None),
    ] {
        let metadata = Metadata::new();
        metadata.make("old");
        assert_eq!(metadata.key().as_deref(), Some("old"));
        let (count, reached) = (metadata.path("count"), metadata.path("reached"));
        let wait = format!(
            "echo >>{0}; if [ $(wc -l <{0}) -gt {calls} ]; then touch {1}; sleep 1000; fi\nexec /bin/{name} \"$@\"",
            count.display(),
            reached.display()
        );
        program(&metadata.path("bin").join(name), &wait);
        let mut child = metadata.command("new").process_group(0).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while !reached.exists() {
            assert!(Instant::now() < deadline, "{name} was not called");
            std::thread::sleep(Duration::from_millis(10));
        }
        // SAFETY: plain system call; the child has not been reaped, so the group is its own.
        unsafe { libc::kill(-(child.id() as i32), libc::SIGKILL) };
        child.wait().unwrap();
        assert_eq!(metadata.key().as_deref(), left, "killed in {name}");
        // The next run mends it and clears up.
        fs::remove_file(metadata.path("bin").join(name)).unwrap();
        metadata.make("new");
        assert_eq!(metadata.key().as_deref(), Some("new"));
        assert_eq!(metadata.left_behind(), [] as [&str; 0], "killed in {name}");
    }
}

#[test]
fn U22_two_runs_at_once() {
    let metadata = Metadata::new();
    let mut children: Vec<_> = ["one", "two"]
        .map(|key| metadata.command(key).spawn().unwrap())
        .into();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    let key = metadata.key().unwrap();
    assert!(["one", "two"].contains(&key.as_str()), "{key}");
    assert_eq!(metadata.left_behind(), [] as [&str; 0]);
}

/// Where programs may not run, or nothing can be written, is passed by.
#[test]
fn U12_temporary_files_go_where_programs_may_run() {
    let metadata = Metadata::new();
    let output = metadata
        .command("key")
        .env("TMPDIR", "/proc")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", err(&output));
    let noexec = metadata.path("noexec");
    fs::create_dir(&noexec).unwrap();
    // What is built is run in the temporary directory.
    let run = "for a; do case $a in O=*) o=${a#O=} ;; esac; done\n\
               printf '#!/bin/sh\\nexit 0\\n' >$o/built && chmod 755 $o/built && $o/built || exit 9\n";
    let make = metadata.path("bin/make");
    let text = fs::read_to_string(&make).unwrap();
    program(&make, &format!("{run}{text}"));
    let mut command = metadata.command("key");
    command.env("TMPDIR", &noexec);
    let places = [noexec.as_path(), Path::new("/var/tmp")]
        .map(|path| std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).unwrap());
    // These mounts must be seen by nobody else; below a chroot, which is no mount, they may be private already.
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let shared = mounts.contains(" shared:");
    let private = move || {
        // SAFETY: plain system calls with strings that end.
        let good = unsafe {
            let (none, all) = (std::ptr::null(), libc::MS_REC | libc::MS_PRIVATE);
            libc::unshare(libc::CLONE_NEWNS) == 0
                && (libc::mount(none, c"/".as_ptr(), none, all, none.cast()) == 0 || !shared)
                && places.iter().all(|place| {
                    let (kind, options) = (c"tmpfs".as_ptr(), c"size=2900m".as_ptr());
                    libc::mount(kind, place.as_ptr(), kind, libc::MS_NOEXEC, options.cast()) == 0
                })
        };
        if good {
            Ok(())
        } else {
            Err(std::io::Error::from_raw_os_error(libc::EPERM))
        }
    };
    // SAFETY: the closure makes system calls only.
    unsafe { command.pre_exec(private) };
    match command.output() {
        Ok(output) => {
            assert!(output.status.success(), "{}", err(&output));
            assert_eq!(metadata.key().as_deref(), Some("key"));
        }
        Err(e) => {
            assert_eq!(e.raw_os_error(), Some(libc::EPERM), "{e}");
            eprintln!("no mounts here ({e}): noexec is not tested");
        }
    }
}

/// What `check-kernel` says of a kernel with this configuration, and its status.
fn checked(release: &str, config: Option<&str>, probe: &str, has_iommu: bool) -> (String, bool) {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::create_dir_all(path("dkms")).unwrap();
    for script in ["check-kernel", "dkms.conf.in"] {
        install(&dkms(script), &path("dkms").join(script));
    }
    program(&path("dkms/probe"), probe);
    if let Some(config) = config {
        write(&path(&format!("root/boot/config-{release}")), config);
    }
    if has_iommu {
        fs::create_dir_all(path("root/sys/kernel/iommu_groups/0")).unwrap();
    }
    let output = Command::new(path("dkms/check-kernel"))
        .arg(release)
        .env("ROOT", path("root"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(err(&output), "", "{said}");
    assert_eq!(said.lines().count(), 4, "{said}");
    (said, output.status.success())
}

#[test]
fn an_owner_hears_at_once_what_a_kernel_lacks() {
    const RUST: &str = "CONFIG_RUST=y\nCONFIG_VFIO_PCI=m\n";
    const PLAIN: &str = "# CONFIG_RUST is not set\nCONFIG_VFIO_PCI=m\n";
    let has = |said: &str, words: &[&str]| {
        for (line, words) in said.lines().zip(words) {
            assert!(line.contains(words), "'{words}' is not in '{line}'");
        }
    };
    let (said, good) = checked(RELEASE, Some(RUST), "exit 0", false);
    has(
        &said,
        &[
            "version    ok",
            "rust       ok",
            "build      ok",
            "no IOMMU",
        ],
    );
    assert!(good);

    // The probe is not asked of what cannot be.
    let (said, good) = checked(
        "6.12.117+deb13-amd64",
        Some(PLAIN),
        "echo wrong; exit 0",
        true,
    );
    has(
        &said,
        &[
            "version    no",
            "rust       no",
            "not asked",
            "docs/vfio.md",
        ],
    );
    assert!(!good && !said.contains("wrong"), "{said}");

    let probe = format!("echo 'ax650: not built for {RELEASE}: bindgen is missing' >&2; exit 77");
    let (said, good) = checked(RELEASE, Some(RUST), &probe, true);
    has(
        &said,
        &["ok", "ok", "build      no  bindgen is missing", "ok"],
    );
    assert!(!good);

    let (said, good) = checked("7.10.0-rc1", None, "exit 77", false);
    has(
        &said,
        &[
            "version    ok",
            "rust       ?",
            "build      no",
            "or vfio    ?",
        ],
    );
    assert!(!good);
}
