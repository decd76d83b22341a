// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the guests are made of.  All of it is built here if need be: kernels and module by the
//! scripts of tests/env, programs by cargo.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Instant;

use anyhow::{bail, Context, Result};

use crate::arch::Arch;
use crate::kernel::Kernel;

/// Package and program of what users run: every guest has them in its path.
const TOOLS: &[(&str, &str)] = &[
    ("ax650", "ax650"),
    ("ax650-firmware", "ax650-fw"),
    ("ax650-llm", "ax650-llm"),
];

/// Features of those in a guest for one command: all but the server, which takes a third of what `ax650-llm` does.
const TOOLS_FEATURES: &str = "ax650/cli ax650-firmware/cli ax650-llm/cli ax650-llm/speech";

/// The same of the cases and examples.
const TESTS: &[(&str, &str)] = &[
    ("ax650-guest", "selftest"),
    ("ax650-guest", "example-infer"),
    ("ax650-guest", "example-decode"),
];

/// Examples that another compiler makes: their sources, and whether they are of the C library.
const C_EXAMPLES: &[(&str, &str, bool)] = &[
    ("example-query", "uapi/examples/query.c", false),
    ("example-c-infer", "userlib/c/examples/infer.c", true),
    ("example-c-scale", "userlib/c/examples/scale.c", true),
    (
        "example-c-transcode",
        "userlib/c/examples/transcode.cpp",
        true,
    ),
];

/// Which programs a guest has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Programs {
    /// What users run: half of the time that all take to build.
    Tools,
    /// Cases and examples, too.
    All,
}

/// Paths of the things built.
pub struct Artifacts {
    arch: Arch,
    tree: PathBuf,
    target: PathBuf,
    programs: Programs,
    emulator: OnceLock<PathBuf>,
    kernels: BTreeMap<Kernel, (PathBuf, PathBuf)>,
}

impl Artifacts {
    /// Begins with nothing built, and with all programs wanted.
    pub fn new(arch: Arch, tree: &Path, target: &Path) -> Self {
        Self {
            arch,
            tree: tree.to_owned(),
            target: target.to_owned(),
            programs: Programs::All,
            emulator: OnceLock::new(),
            kernels: BTreeMap::new(),
        }
    }

    /// Returns the architecture of the guests.
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// Returns the top of the tree.
    pub fn tree(&self) -> &Path {
        &self.tree
    }

    /// Returns the emulated card's program.
    pub fn emulator(&self) -> Result<&Path> {
        let emulator = self.emulator.get().map(PathBuf::as_path);
        emulator.context("the emulator was not built")
    }

    /// Returns a guest's kernel.
    pub fn vmlinuz(&self, kernel: Kernel) -> Result<&Path> {
        Ok(&self.kernel(kernel)?.0)
    }

    /// Returns a guest's root file system.
    pub fn initrd(&self, kernel: Kernel) -> Result<&Path> {
        Ok(&self.kernel(kernel)?.1)
    }

    fn kernel(&self, kernel: Kernel) -> Result<&(PathBuf, PathBuf)> {
        self.kernels
            .get(&kernel)
            .with_context(|| format!("the {} guest was not built", kernel.name()))
    }

    /// Where cargo puts what it builds for the guest.
    fn cargo_output(&self, name: &str) -> PathBuf {
        let release = self.target.join(self.arch.triple()).join("release");
        release.join(name)
    }

    /// Directory of what guests are made of.
    fn guest_dir(&self) -> PathBuf {
        self.target.join("guest")
    }

    /// What names of things have in them that guests with few programs have of their own: a run of cases beside this
    /// one reads its files all the time.
    fn few(&self) -> &'static str {
        match self.programs {
            Programs::Tools => "tools-",
            Programs::All => "",
        }
    }

    /// A program of the guest.
    fn guest_program(&self, name: &str) -> PathBuf {
        let programs = format!("{}{}programs", self.few(), self.arch.prefix());
        self.guest_dir().join(programs).join(name)
    }

    /// Takes a program to where those of other guests cannot take its place.
    fn keep(&self, name: &str) -> Result<()> {
        let (from, to) = (self.cargo_output(name), self.guest_program(name));
        let dir = to.parent().context("a program has a directory")?;
        let new = dir.join(format!("{name}.new"));
        std::fs::create_dir_all(dir)
            .and_then(|()| std::fs::copy(&from, &new))
            .and_then(|_| std::fs::rename(&new, &to))
            .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
    }

    /// Returns the command that runs a program of the guest on this machine.
    pub fn guest_command(&self, name: &str) -> Command {
        let program = self.guest_program(name);
        match self.arch.runner() {
            Some(runner) => {
                let mut command = Command::new(runner);
                command.arg(program);
                command
            }
            None => Command::new(program),
        }
    }

    /// Builds all that a guest with a card needs, with these `programs` in it, and what prepares models for the card.
    pub fn build(&mut self, kernel: Kernel, programs: Programs) -> Result<()> {
        self.programs = programs;
        // Beside each other, as each has times when it can use one CPU only.
        let built = std::thread::scope(|scope| {
            let kernel = scope.spawn(|| self.build_kernel(kernel));
            let programs = self.build_guest_programs();
            let programs = programs.and_then(|()| self.build_emulator());
            let kernel = kernel.join().unwrap_or_else(|_| bail!("a panic"));
            programs.and(kernel)
        });
        built?;
        self.build_root(kernel)
    }

    /// Builds the programs of the guest.
    pub fn build_guest_programs(&self) -> Result<()> {
        let mut cargo = self.cargo(&["build", "--release", "--target", self.arch.triple()]);
        for (package, program) in self.rust_programs() {
            cargo.args(["--package", package, "--bin", program]);
        }
        match self.programs {
            Programs::Tools => cargo.args(["--no-default-features", "--features", TOOLS_FEATURES]),
            // `--bin` alone would leave it out.
            Programs::All => cargo.args(["--package", "ax650-c", "--lib"]),
        };
        // The guest's CPU is emulated, and its time judged by comparison: to optimise more takes longer than it gives.
        cargo.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1");
        // Static: the guest has no libraries.
        cargo.env("RUSTFLAGS", "-C target-feature=+crt-static");
        step("programs of the guest", &mut cargo)?;
        self.rust_programs()
            .try_for_each(|(_, program)| self.keep(program))?;
        self.c_programs()
            .iter()
            .try_for_each(|(program, source, of_library)| {
                self.build_c(program, source, *of_library)
            })
    }

    fn rust_programs(&self) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
        let tests: &[_] = match self.programs {
            Programs::Tools => &[],
            Programs::All => TESTS,
        };
        TOOLS.iter().chain(tests)
    }

    fn c_programs(&self) -> &'static [(&'static str, &'static str, bool)] {
        match self.programs {
            Programs::Tools => &[],
            Programs::All => C_EXAMPLES,
        }
    }

    /// Builds a program in C or C++; static, too.
    fn build_c(&self, program: &str, source: &str, of_library: bool) -> Result<()> {
        let is_cpp = source.ends_with(".cpp");
        let mut cc = match (self.arch.compiler(), is_cpp) {
            (None, false) => Command::new("cc"),
            (None, true) => Command::new("c++"),
            (Some(gcc), false) => Command::new(gcc),
            (Some(gcc), true) => Command::new(gcc.replace("gcc", "g++")),
        };
        cc.args(["-static", "-O2", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(self.guest_program(program))
            .arg(source)
            .current_dir(&self.tree);
        if of_library {
            let archive = self.cargo_output("libax650_c.a");
            cc.args(["-I", "userlib/c/include"]);
            // The linker warns of each function of the C library that looks up users or hosts: the guest has files for that.
            cc.arg(archive).args(["-lm", "-Wl,--no-warnings"]);
        } else {
            cc.args(["-I", "uapi"]);
        }
        step(&format!("{program} in C"), &mut cc)
    }

    /// Builds the emulated card and the tool that prepares models for it, with this program.
    pub fn build_emulator(&self) -> Result<()> {
        step("emulated card", &mut self.script("host-programs.sh", &[]))?;
        let path = self.target.join("release/ax650-emu");
        self.emulator.get_or_init(|| path);
        Ok(())
    }

    /// Builds kernel and module of a guest.
    fn build_kernel(&self, kernel: Kernel) -> Result<()> {
        let name = kernel.name();
        step(
            &format!("{name} kernel"),
            &mut self.script("kernels.sh", &[name]),
        )?;
        step(
            &format!("module for the {name} kernel"),
            &mut self.script("module.sh", &[name]),
        )
    }

    /// Builds kernel, module and root file system of a guest; its programs were built.
    pub fn build_guest(&mut self, kernel: Kernel) -> Result<()> {
        self.build_kernel(kernel)?;
        self.build_root(kernel)
    }

    /// Builds the root file system of a guest, whose kernel, module and programs were built.
    fn build_root(&mut self, kernel: Kernel) -> Result<()> {
        let name = kernel.name();
        let vmlinuz = self.printed("kernels.sh", &["print", name, "vmlinuz"])?;
        let module = self.strip(&self.printed("module.sh", &["print", name])?)?;
        let dir = self.guest_dir();
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let firmware = self.firmware(&dir)?;
        let initrd = format!("initramfs-{}{}{name}.gz", self.few(), self.arch.prefix());
        let initrd = dir.join(initrd);
        let rust = self.rust_programs().map(|(_, program)| program);
        let c = self.c_programs().iter().map(|(program, ..)| program);
        let mut files: Vec<String> = rust
            .chain(c)
            .map(|program| format!("{}:/bin/{program}", self.guest_program(program).display()))
            .collect();
        files.push(format!("{}:/lib/modules/ax650.ko", module.display()));
        files.push(format!(
            "{}:/lib/firmware/axcl/ax650_card.pac",
            firmware.display()
        ));
        let out = initrd.display().to_string();
        let mut args = vec![out.as_str(), name];
        args.extend(files.iter().map(String::as_str));
        step(
            &format!("root file system of the {name} guest"),
            &mut self.script("initramfs.sh", &args),
        )?;
        self.kernels.insert(kernel, (vmlinuz, initrd));
        Ok(())
    }

    /// The module without its debugging information, as packages install it.
    fn strip(&self, module: &Path) -> Result<PathBuf> {
        let stripped = module.with_extension("ko.stripped");
        let mut strip = Command::new(self.arch.strip());
        strip
            .arg("--strip-debug")
            .arg("-o")
            .arg(&stripped)
            .arg(module);
        let status = strip.status().context("cannot run strip")?;
        if !status.success() {
            bail!("strip {}: {status}", module.display());
        }
        Ok(stripped)
    }

    /// A container of the real layout, as `ax650-fw pack` makes them for the emulated card.
    fn firmware(&self, dir: &Path) -> Result<PathBuf> {
        let path = dir.join("ax650_card.pac");
        let mut pack = self.guest_command("ax650-fw");
        pack.args(["pack", "--sample", "small", "--force"])
            .arg("--output")
            .arg(&path);
        step("firmware container", &mut pack)?;
        Ok(path)
    }

    /// Makes a command of cargo, in the tree.
    pub fn cargo(&self, args: &[&str]) -> Command {
        let mut cargo = Command::new("cargo");
        cargo
            .args(args)
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.target)
            .envs(self.arch.cargo_environment().iter().copied());
        cargo
    }

    /// Makes a command of a script of tests/env.
    pub fn script(&self, name: &str, args: &[&str]) -> Command {
        self.script_of("tests/env", name, args)
    }

    /// Makes a command that runs a script of a directory of the tree.
    pub fn script_of(&self, dir: &str, name: &str, args: &[&str]) -> Command {
        let mut script = Command::new(self.tree.join(dir).join(name));
        script
            .args(args)
            .current_dir(&self.tree)
            .env("AX650_ARCH", self.arch.name())
            .env("CARGO_TARGET_DIR", &self.target);
        script
    }

    fn printed(&self, script: &str, args: &[&str]) -> Result<PathBuf> {
        let output = self
            .script(script, args)
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("cannot run {script}"))?;
        if !output.status.success() {
            bail!("{script} {}: {}", args.join(" "), output.status);
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().into())
    }
}

/// Runs a command that builds something, with a line that says so.
fn step(what: &str, command: &mut Command) -> Result<()> {
    let begin = Instant::now();
    eprintln!("rig: {what} ...");
    let mut group = crate::child::Group::spawn(command.stdin(Stdio::null()), what)?;
    let status = loop {
        if let Some(status) =
            group.wait_until(Instant::now() + std::time::Duration::from_secs(8))?
        {
            break status;
        }
        eprintln!("rig: {what}: {:.0} s so far", begin.elapsed().as_secs_f64());
    };
    if !status.success() {
        bail!(
            "{what}: {} failed ({status})",
            command.get_program().to_string_lossy()
        );
    }
    eprintln!("rig: {what}: {:.1} s", begin.elapsed().as_secs_f64());
    Ok(())
}
