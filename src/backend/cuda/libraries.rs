//! CUDA's libraries, loaded at first use: one program runs on machines with and without them.

use libloading::Library as Handle;
use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The environment variable that names a folder to look in for CUDA's libraries, before the system's own places.
pub const FOLDER_VARIABLE: &str = "FLOWSTONE_CUDA_LIBRARIES";

/// NVIDIA's driver.
pub(super) static CUDA: Library = Library::new("libcuda", &["libcuda.so.1", "libcuda.so", "nvcuda.dll"], &[]);

/// Matrix products.
pub(super) static CUBLAS: Library = Library::new(
    "libcublas",
    &[
        "libcublas.so.13",
        "libcublas.so.12",
        "libcublas.so.11",
        "libcublas.so",
        "cublas64_13.dll",
        "cublas64_12.dll",
        "cublas64_11.dll",
    ],
    &["libcublasLt.so", "cublasLt64_"],
);

/// The compiler of kernels.
pub(super) static NVRTC: Library = Library::new(
    "libnvrtc",
    &[
        "libnvrtc.so.13",
        "libnvrtc.so.12",
        "libnvrtc.so.11.2",
        "libnvrtc.so",
        "nvrtc64_130_0.dll",
        "nvrtc64_120_0.dll",
        "nvrtc64_112_0.dll",
    ],
    &["libnvrtc-builtins.so", "nvrtc-builtins64_"],
);

/// Where toolkits and the wheels of PyPI keep libraries, below their own folder.
const SUB_FOLDERS: [&str; 10] = [
    "",
    "lib64",
    "lib",
    "nvidia/cu13/lib",
    "nvidia/cublas/lib",
    "nvidia/cuda_nvrtc/lib",
    "bin",
    "nvidia/cu13/bin/x86_64",
    "nvidia/cublas/bin",
    "nvidia/cuda_nvrtc/bin",
];

static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// Looks for CUDA's libraries in `folder` first, before the folder of [`FOLDER_VARIABLE`] and the system's own places.
///
/// To be called before anything else of CUDA: a library once looked for stays what it is. The first folder counts.
pub fn look_in(folder: impl Into<PathBuf>) {
    FOLDER.get_or_init(|| folder.into());
}

/// A library that is loaded when it is first asked for.
pub(super) struct Library {
    /// What people call it.
    pub name: &'static str,
    /// Its files' names, the newest first.
    files: &'static [&'static str],
    /// How the names of libraries begin that it looks for itself, and does not always find where it stands.
    companions: &'static [&'static str],
    loaded: OnceLock<Result<Loaded, String>>,
}

/// Libraries in memory, never unloaded.
struct Loaded {
    library: Handle,
    _companions: Vec<Handle>,
}

impl Library {
    const fn new(name: &'static str, files: &'static [&'static str], companions: &'static [&'static str]) -> Self {
        Self { name, files, companions, loaded: OnceLock::new() }
    }

    /// Whether it can be loaded, and if not, why.
    pub fn find(&self) -> Result<(), &str> {
        self.loaded().map(|_| ())
    }

    /// The library's function of this name, if it has one.
    ///
    /// # Safety
    ///
    /// `F` must be the type of that function: an `unsafe extern "C" fn`.
    pub unsafe fn function<F: Copy>(&self, name: &str) -> Option<F> {
        let loaded = self.loaded().ok()?;
        // SAFETY: the caller's promise. The pointer outlives its symbol, for no library is ever unloaded.
        unsafe { loaded.library.get::<F>(name) }.ok().map(|symbol| *symbol)
    }

    fn loaded(&self) -> Result<&Loaded, &str> {
        self.loaded.get_or_init(|| self.load(&folders())).as_ref().map_err(String::as_str)
    }

    /// Loads the first file that can be: of the folders, then of the system's own places.
    fn load(&self, folders: &[PathBuf]) -> Result<Loaded, String> {
        let mut broken = Vec::new();
        for folder in folders.iter().flat_map(|folder| SUB_FOLDERS.map(|below| folder.join(below))) {
            for path in self.files.iter().map(|file| folder.join(file)).filter(|path| path.is_file()) {
                let companions = self.companions_in(&folder);
                match open(&path) {
                    Ok(library) => return Ok(Loaded { library, _companions: companions }),
                    Err(reason) => broken.push(reason),
                }
            }
        }
        let mut absent = Vec::new();
        for file in self.files {
            match open(Path::new(file)) {
                Ok(library) => return Ok(Loaded { library, _companions: Vec::new() }),
                Err(reason) if reason.starts_with(&format!("{file}: cannot open")) => absent.push(reason),
                Err(reason) => broken.push(reason),
            }
        }
        // A file that is there and cannot be loaded says more than all those that are not.
        Err(broken.into_iter().chain(absent).next().unwrap_or_default())
    }

    fn companions_in(&self, folder: &Path) -> Vec<Handle> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .filter(|entry| {
                let name = entry.file_name();
                self.companions.iter().any(|prefix| name.to_string_lossy().starts_with(prefix))
            })
            .filter_map(|entry| open(&entry.path()).ok())
            .collect()
    }
}

/// The folders that the program and the user named.
fn folders() -> Vec<PathBuf> {
    let variable = std::env::var_os(FOLDER_VARIABLE).filter(|folder| !folder.is_empty());
    FOLDER.get().cloned().into_iter().chain(variable.map(PathBuf::from)).collect()
}

fn open(file: &Path) -> Result<Handle, String> {
    // SAFETY: running a library's initializers is what loading means; these files bear the names of NVIDIA's.
    unsafe { Handle::new(file) }
        .map_err(|error| error.source().map_or_else(|| error.to_string(), |source| source.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(library: &Library, folders: &[PathBuf]) -> String {
        library.load(folders).err().unwrap()
    }

    #[test]
    fn a_library_that_is_nowhere_is_named_by_its_newest_file() {
        let library = Library::new("libnothing", &["libflowstone-nothing.so.2", "libflowstone-nothing.so.1"], &[]);
        assert!(reason(&library, &[]).contains("libflowstone-nothing.so.2"), "{}", reason(&library, &[]));
        let library = Library::new("libnothing", &["libflowstone-nothing.so"], &[]);
        // SAFETY: there is no such library, so no function is found, let alone called.
        assert!(unsafe { library.function::<unsafe extern "C" fn()>("anything") }.is_none());
    }

    #[test]
    fn a_broken_file_in_a_sub_folder_of_wheels_says_more_than_absent_ones() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("nvidia/cublas/lib");
        std::fs::create_dir_all(&below).unwrap();
        std::fs::write(below.join("libflowstone-broken.so.1"), "not a library").unwrap();
        let library = Library::new("libbroken", &["libflowstone-broken.so.2", "libflowstone-broken.so.1"], &[]);
        let reason = reason(&library, &[folder.path().to_path_buf()]);
        assert!(reason.contains("nvidia/cublas/lib/libflowstone-broken.so.1"), "{reason}");
    }
}
