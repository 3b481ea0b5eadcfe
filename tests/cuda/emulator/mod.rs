//! A CUDA without a GPU: a shared library that runs the same kernels on the host, under the names of CUDA's libraries.
//!
//! `cc` builds it out of `tests/emulator` and the text of the kernels. It aborts at mistakes that a GPU lets pass:
//! accesses beyond an allocation, barriers that only some threads reach. Environment variables change it:
//! `EMULATED_MEMORY` is the size of its memory in bytes, `EMULATED_ORDER=reversed` runs blocks and threads from the
//! last to the first.

mod signature;

use signature::Signature;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{fs, io};

/// The emulator's own files.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/emulator");

/// The names under which CUDA's libraries are looked for.
const LIBRARY: &str = "libcuda.so.1";
const OTHER_NAMES: [&str; 2] = ["libcublas.so.12", "libnvrtc.so.12"];

/// How `cc` compiles it. Contraction would round otherwise than the host's own kernels; one buffer may hold values of two
/// types; `index` is a function of C's library; vectors make products of matrices faster.
const OPTIONS: [&str; 14] = [
    "-std=gnu11",
    "-O1",
    "-ftree-vectorize",
    "-g",
    "-ffp-contract=off",
    "-fno-strict-aliasing",
    "-fno-builtin-index",
    "-fvisibility=hidden",
    "-U_FORTIFY_SOURCE",
    "-DEMULATED",
    "-shared",
    "-fPIC",
    "-pthread",
    "-o",
];

/// The folder with the emulator of this crate's kernels and of those that try it, built once; none where there is no C
/// compiler.
pub fn folder() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let text = || [flowstone::backend::cuda::SOURCE, include_str!("../../emulator/self_test.cu")].concat();
    FOLDER.get_or_init(|| build(&text()).unwrap_or_else(|message| panic!("{message}"))).as_deref()
}

/// What has been done since the thread's start, by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Kernels that were launched.
    pub launches: u64,
    /// Copies from the host to the device.
    pub copies_in: u64,
    pub bytes_in: u64,
    /// Copies from the device to the host.
    pub copies_out: u64,
    pub bytes_out: u64,
}

/// What this thread has done since its start, in the emulator that lies in `folder`.
pub fn counts(folder: &Path) -> Counts {
    let mut counts = [0; 5];
    // SAFETY: the library is the emulator, whose function writes five numbers.
    unsafe {
        let library = libloading::Library::new(folder.join(LIBRARY)).unwrap();
        library.get::<unsafe extern "C" fn(*mut u64)>("emulated_counts").unwrap()(counts.as_mut_ptr());
    }
    let [launches, copies_in, bytes_in, copies_out, bytes_out] = counts;
    Counts { launches, copies_in, bytes_in, copies_out, bytes_out }
}

/// The most bytes that this thread held in memory since it last asked, in the emulator that lies in `folder`.
pub fn peak(folder: &Path) -> u64 {
    // SAFETY: the library is the emulator, whose function takes nothing and gives a number.
    unsafe {
        let library = libloading::Library::new(folder.join(LIBRARY)).unwrap();
        library.get::<unsafe extern "C" fn() -> u64>("emulated_peak").unwrap()()
    }
}

/// Builds the emulator of a text of kernels, or finds it built: the folder is named after all that it is made of.
///
/// None, with a line, where it cannot be built; the compiler's message where the text does not compile.
pub fn build(text: &str) -> Result<Option<PathBuf>, String> {
    if !cfg!(target_os = "linux") {
        println!("CUDA is emulated on Linux only: its kernels are not tested here");
        return Ok(None);
    }
    let signatures = signature::parse(text)?;
    let mut files = vec![("kernels.cu", text.to_string())];
    files.push(("emulated_f32.c", module("float", "REAL_IS_FLOAT", "emulated_f32", &signatures)));
    files.push(("emulated_f64.c", module("double", "REAL_IS_DOUBLE", "emulated_f64", &signatures)));

    let tests = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = tests.join(format!("emulator-{:016x}", fingerprint(&files)));
    if folder.is_dir() {
        return Ok(Some(folder));
    }
    let built = tempfile::tempdir_in(tests).unwrap();
    for (name, content) in &files {
        fs::write(built.path().join(name), content).unwrap();
    }
    if !compile(built.path())? {
        return Ok(None);
    }
    for name in OTHER_NAMES {
        fs::hard_link(built.path().join(LIBRARY), built.path().join(name)).unwrap();
    }
    // Another process may have been faster, with the same result.
    match fs::rename(built.path(), &folder) {
        Err(error) if !folder.is_dir() => panic!("cannot move the emulator to {}: {error}", folder.display()),
        _ => Ok(Some(folder)),
    }
}

/// A C file with all kernels in one element type, as the emulator finds them.
fn module(real: &str, tag: &str, table: &str, signatures: &[Signature]) -> String {
    let mut file = format!("#define REAL {real}\n#define {tag}\n#include \"emulator.h\"\n#include \"kernels.cu\"\n\n");
    for signature in signatures {
        writeln!(file, "{}", signature.trampoline()).unwrap();
    }
    writeln!(file, "\nconst struct emulated_kernel {table}[] = {{").unwrap();
    for signature in signatures {
        writeln!(file, "    {},", signature.entry()).unwrap();
    }
    file + "    { 0 },\n};\n"
}

/// The emulator's own C files and headers, in a fixed order.
fn own_files() -> Vec<PathBuf> {
    let is_c = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "c" || extension == "h");
    let mut files: Vec<_> = fs::read_dir(SOURCES).unwrap().map(|entry| entry.unwrap().path()).filter(is_c).collect();
    files.sort();
    files
}

fn fingerprint(files: &[(&str, String)]) -> u64 {
    let mut hasher = DefaultHasher::new();
    OPTIONS.hash(&mut hasher);
    files.hash(&mut hasher);
    for file in own_files() {
        fs::read(file).unwrap().hash(&mut hasher);
    }
    hasher.finish()
}

/// Compiles the emulator in a folder that holds the files made for it; false where there is no C compiler.
fn compile(folder: &Path) -> Result<bool, String> {
    let own = own_files().into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "c"));
    let made = ["emulated_f32.c", "emulated_f64.c"].map(|file| folder.join(file));
    let mut command = Command::new("cc");
    command.args(OPTIONS).arg(folder.join(LIBRARY)).arg("-I").arg(SOURCES).args(own).args(made).arg("-lm");
    match command.output() {
        Ok(output) if output.status.success() => Ok(true),
        Ok(output) => Err(format!("the kernels do not compile:\n{}", String::from_utf8_lossy(&output.stderr))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            println!("no C compiler: CUDA's kernels are not tested here");
            Ok(false)
        }
        Err(error) => Err(format!("cc cannot be run: {error}")),
    }
}
