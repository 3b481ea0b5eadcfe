//! Fetching data sets, from a server that may be anything but good, to a flow that trains on them.

use crate::text;
use flate2::Compression;
use flate2::write::GzEncoder;
use flowstone::data::{FetchEvent, Presence, Store};
use flowstone::{Error, Result};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How a server answers when it is asked for a file.
#[derive(Clone, Copy)]
enum Manner {
    /// As it should; with a part where one is asked for.
    Well,
    /// With the whole, whatever part is asked for.
    WithoutRanges,
    /// At first it breaks off after so many bytes, later as it should.
    CutAt(usize),
    /// At first it breaks off after so many bytes, later with the whole, whatever part is asked for.
    CutWithoutRanges(usize),
    /// At first it stops after so many bytes, without breaking off; later as it should.
    HoldsAt(usize),
    /// It always breaks off after so many bytes.
    AlwaysCutAt(usize),
    /// With another part than was asked for.
    AnotherPart,
    /// With a status and no file.
    Status(&'static str),
    /// Once with a status and no file, then as it should.
    AtFirst(&'static str),
    /// With other bytes, as many as there should be.
    Wrong,
    /// With more bytes than the list says, without saying how many.
    More,
    /// With a file of another size.
    OfAnotherSize,
    /// With another place to ask.
    Elsewhere(&'static str),
    /// As it should, but slowly.
    Slowly,
}

/// A path and the part that was asked for, if any.
type Request = (String, Option<String>);

/// A server of files on this machine.
struct Server {
    address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Serves each path in its manner, until the tests end.
    fn of(files: Vec<(&'static str, Manner, Vec<u8>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that has seen enough goes away.
                let _ = answer(stream, &files, &seen);
            }
        });
        Self { address, requests }
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// What was asked for of the files' parts, in order.
    fn ranges(&self) -> Vec<Option<String>> {
        self.requests().into_iter().map(|(_, range)| range).collect()
    }
}

fn answer(mut stream: TcpStream, files: &[(&str, Manner, Vec<u8>)], seen: &Mutex<Vec<Request>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let headers: Vec<String> = lines.map_while(|line| line.ok().filter(|line| !line.is_empty())).collect();
    let header = |name: &str| {
        let named = headers.iter().find(|line| line.to_lowercase().starts_with(&format!("{name}:")));
        named.map(|line| line[name.len() + 1..].trim().to_owned())
    };
    let range = header("range");
    let is_first = !seen.lock().unwrap().iter().any(|(asked, _)| *asked == path);
    seen.lock().unwrap().push((path.clone(), range.clone()));
    let Some((_, manner, bytes)) = files.iter().find(|(name, ..)| *name == path) else {
        return write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    let asked: usize =
        range.map_or(0, |range| range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap());
    let all = bytes.len();
    let mut send = |status: &str, headers: String, bytes: &[u8]| {
        write!(stream, "HTTP/1.1 {status}\r\n{headers}Connection: close\r\n\r\n")?;
        stream.write_all(bytes)
    };
    let length = |n: usize| format!("Content-Length: {n}\r\n");
    let whole = |bytes: &[u8]| ("200 OK", length(bytes.len()), bytes.to_vec());
    let part = |from: usize| {
        let header = format!("{}Content-Range: bytes {from}-{}/{all}\r\n", length(all - from), all - 1);
        ("206 Partial Content", header, bytes[from..].to_vec())
    };
    let as_asked = || if asked > 0 { part(asked) } else { whole(bytes) };
    let (status, headers, body) = match *manner {
        Manner::Well => as_asked(),
        Manner::WithoutRanges => whole(bytes),
        Manner::CutAt(at) | Manner::CutWithoutRanges(at) | Manner::HoldsAt(at) if is_first => {
            ("200 OK", length(all), bytes[..at].to_vec())
        }
        Manner::AlwaysCutAt(at) => {
            let (status, headers, bytes) = as_asked();
            (status, headers, bytes[..at.min(bytes.len())].to_vec())
        }
        Manner::CutAt(_) | Manner::HoldsAt(_) => as_asked(),
        Manner::CutWithoutRanges(_) => whole(bytes),
        Manner::AnotherPart => part(1),
        Manner::AtFirst(status) if is_first => (status, length(0), vec![]),
        Manner::AtFirst(_) => as_asked(),
        Manner::Status(status) => (status, length(0), vec![]),
        Manner::Wrong => whole(&vec![b'!'; all]),
        Manner::More => ("200 OK", String::new(), [&bytes[..], b"more"].concat()),
        Manner::OfAnotherSize => whole(&bytes[1..]),
        Manner::Elsewhere(path) => ("302 Found", format!("{}Location: {path}\r\n", length(0)), vec![]),
        Manner::Slowly => {
            std::thread::sleep(Duration::from_millis(500));
            as_asked()
        }
    };
    send(status, headers, &body)?;
    if let (Manner::HoldsAt(_), true) = (manner, is_first) {
        std::thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

/// Bytes without a pattern.
fn noise(count: usize) -> Vec<u8> {
    (0..count as u64).map(|i| ((i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect()
}

/// A file as a list of sources has it.
fn listed(name: &str, bytes: &[u8], urls: &[String], rest: &str) -> String {
    let sum: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("(name: \"{name}\", bytes: {}, sha256: \"{sum}\", urls: {urls:?}, {rest})", bytes.len())
}

/// A cache folder whose list has one set, `letters`, of one file, `f`, to be had from each of `urls` in turn.
fn store(urls: &[String], bytes: &[u8]) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let files = listed("f", bytes, urls, "");
    let list = format!("Sources([(name: \"letters\", what: \"Letters\", format: Idx, files: [{files}])])");
    fs::write(folder.path().join("sources.ron"), list).unwrap();
    let store = Store::new(Some(folder.path()), None).unwrap();
    (folder, store)
}

/// Fetches `f` from each of the manners in turn, on a server that has `bytes`: what came of it, what was said on the way,
/// and what the server was asked. `part` is there of it before.
fn fetched(manners: &[Manner], bytes: &[u8], before: Option<&[u8]>) -> Fetched {
    const PATHS: [&str; 3] = ["/0/f", "/1/f", "/2/f"];
    let files = manners.iter().zip(PATHS).map(|(manner, path)| (path, *manner, bytes.to_vec())).collect();
    let server = Server::of(files);
    let urls: Vec<String> = PATHS[..manners.len()].iter().map(|path| format!("{}{path}", server.address)).collect();
    let (folder, store) = store(&urls, bytes);
    let place = folder.path().join("letters");
    if let Some(before) = before {
        fs::create_dir(&place).unwrap();
        fs::write(place.join("f.part"), before).unwrap();
    }
    let mut said = Vec::new();
    let result = store.fetch("letters", &mut |event| {
        if let FetchEvent::Trouble { what, .. } = event {
            said.push(what);
        }
    });
    Fetched { result, said: said.join("\n"), file: fs::read(place.join("f")).ok(), folder, store, server }
}

struct Fetched {
    result: Result<PathBuf>,
    said: String,
    file: Option<Vec<u8>>,
    folder: tempfile::TempDir,
    store: Store,
    server: Server,
}

impl Fetched {
    fn part(&self) -> PathBuf {
        self.folder.path().join("letters/f.part")
    }

    /// The file that came, which must be right.
    fn is_right(&self, bytes: &[u8]) {
        assert_eq!(self.result.as_ref().ok(), Some(&self.folder.path().join("letters")), "{}", self.said);
        assert!(self.file.as_deref() == Some(bytes) && !self.part().exists());
    }
}

#[test]
fn a_file_comes_whole_and_checked_and_is_not_asked_for_again() {
    let bytes = noise(200_000);
    let fetched = fetched(&[Manner::Well], &bytes, None);
    fetched.is_right(&bytes);
    assert_eq!(fetched.said, "");
    let mut events = Vec::new();
    fetched.store.fetch("letters", &mut |event| events.push(event)).unwrap();
    assert_eq!(events, [FetchEvent::AlreadyThere { file: "f".into() }]);
    assert_eq!(fetched.server.ranges(), [None]);
    // One that has changed is fetched again.
    fs::write(fetched.folder.path().join("letters/f"), vec![0; bytes.len()]).unwrap();
    fetched.store.fetch("letters", &mut |_| ()).unwrap();
    assert_eq!(fs::read(fetched.folder.path().join("letters/f")).unwrap(), bytes);
}

#[test]
fn a_broken_download_goes_on_where_it_stopped() {
    let bytes = noise(200_000);
    let broken = fetched(&[Manner::CutAt(70_000)], &bytes, None);
    broken.is_right(&bytes);
    assert_eq!(broken.server.ranges(), [None, Some("bytes=70000-".into())]);
    assert!(broken.said.contains("closed after 70000 of 200000 bytes; trying again"), "{}", broken.said);

    // So does one that an earlier program began.
    let stopped = fetched(&[Manner::Well], &bytes, Some(&bytes[..123]));
    stopped.is_right(&bytes);
    assert_eq!(stopped.server.ranges(), [Some("bytes=123-".into())]);
    // One that had all but its name is not asked for.
    let all = fetched(&[Manner::Well], &bytes, Some(&bytes));
    all.is_right(&bytes);
    assert_eq!(all.server.ranges(), []);
}

#[test]
fn a_server_without_ranges_gives_the_whole_again() {
    let bytes = noise(100_000);
    for manners in [&[Manner::CutWithoutRanges(70_000)][..], &[Manner::AnotherPart, Manner::WithoutRanges]] {
        let fetched = fetched(manners, &bytes, Some(&bytes[..50]));
        fetched.is_right(&bytes);
    }
}

#[test]
fn what_a_source_keeps_breaking_off_is_kept_for_the_next_time() {
    let bytes = noise(1000);
    let fetched = fetched(&[Manner::AlwaysCutAt(10)], &bytes, None);
    let message = fetched.result.as_ref().unwrap_err().to_string();
    assert!(message.contains("closed after 40 of 1000 bytes"), "{message}");
    assert_eq!(fs::read(fetched.part()).unwrap(), bytes[..40]);
    assert_eq!(fetched.store.presence(fetched.store.find("letters").unwrap()), Presence::Part(40));
    assert_eq!(fetched.file, None);
}

#[test]
fn wrong_bytes_are_never_kept() {
    let bytes = noise(1000);
    for (manner, words) in [
        (Manner::Wrong, "the bytes are not those of the list"),
        (Manner::More, "it sends more than the 1000 bytes that the list says"),
        (Manner::OfAnotherSize, "it has a file of 999 bytes; the list says 1000"),
    ] {
        let fetched = fetched(&[manner], &bytes, None);
        let error = fetched.result.as_ref().unwrap_err();
        assert!(matches!(error, Error::Fetch { .. }) && !error.is_input(), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(fetched.file, None);
        assert!(fs::read(fetched.part()).unwrap_or_default().is_empty(), "{words}");
    }
    // A beginning that is not the file's, and one that is longer, are given up, and the file comes from the start.
    let wrong = fetched(&[Manner::Well], &bytes, Some(b"wrong"));
    wrong.is_right(&bytes);
    assert_eq!(wrong.server.ranges(), [Some("bytes=5-".into()), None]);
    assert!(wrong.said.contains("once more from the start"), "{}", wrong.said);
    let long = fetched(&[Manner::Well], &bytes, Some(&[7; 1001]));
    long.is_right(&bytes);
    assert_eq!(long.server.ranges(), [None]);
    assert!(long.said.contains("longer than the whole"), "{}", long.said);
}

#[test]
fn the_next_mirror_is_asked() {
    let bytes = noise(1000);
    for (manner, words) in [
        (Manner::Status("404 Not Found"), "it answers 404 Not Found; asking the next source"),
        (Manner::Status("500 Oh"), "it answers 500 Internal Server Error; asking the next source"),
        (Manner::Wrong, "are not kept; asking the next source"),
        (Manner::More, "it sends more"),
        (Manner::OfAnotherSize, "it has a file of 999 bytes"),
        (Manner::Elsewhere("/nowhere"), "404"),
        (Manner::Elsewhere("/0/f"), "too many redirects"),
    ] {
        let fetched = fetched(&[manner, Manner::Well], &bytes, None);
        fetched.is_right(&bytes);
        assert!(fetched.said.contains(words), "{words}: {}", fetched.said);
        assert_eq!(fetched.server.requests().last().unwrap().0, "/1/f");
    }
    // What the first gave before it broke off for good is not asked of the next.
    let begun = fetched(&[Manner::AlwaysCutAt(10), Manner::Well], &bytes, None);
    begun.is_right(&bytes);
    assert_eq!(begun.server.ranges().last(), Some(&Some("bytes=40-".into())));
}

#[test]
fn a_server_that_has_a_moment_of_trouble_or_has_moved_is_followed() {
    let bytes = noise(1000);
    fetched(&[Manner::AtFirst("503 Busy")], &bytes, None).is_right(&bytes);
    let moved = fetched(&[Manner::Elsewhere("/1/f"), Manner::Well], &bytes, Some(&bytes[..100]));
    moved.is_right(&bytes);
    let rest = Some("bytes=100-".to_owned());
    assert_eq!(moved.server.requests(), [("/0/f".to_owned(), rest.clone()), ("/1/f".to_owned(), rest)]);
}

/// Runs the program with `folder` for its cache folder, and without a proxy.
fn flowstone(arguments: &[&str], folder: &Path) -> Output {
    command(arguments, folder).output().unwrap()
}

fn command(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowstone"));
    for proxy in ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] {
        command.env_remove(proxy);
    }
    command.args(arguments).env("FLOWSTONE_DATA", folder).current_dir(folder);
    command
}

/// Runs a command that must succeed; its stdout.
fn succeeds(arguments: &[&str], folder: &Path) -> String {
    let output = flowstone(arguments, folder);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Runs a command that must fail with this exit code; its stderr, in one line: reports are wrapped, with a bar at the side.
fn fails(code: i32, arguments: &[&str], folder: &Path) -> String {
    let output = flowstone(arguments, folder);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    assert!(output.stdout.is_empty() && !stderr.contains("panicked"), "{arguments:?}: {stderr}");
    stderr.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn without_a_network_the_error_names_host_folder_and_urls() {
    // Nobody listens where somebody did.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let long = "a-long-name-that-no-line-of-eighty-columns-has-any-room-for-but-that-must-be-copied-whole";
    let url = format!("http://{gone}/{long}/f");
    let (folder, _) = store(std::slice::from_ref(&url), b"abc");
    let stderr = fails(1, &["data", "fetch", "letters"], folder.path());
    let place = folder.path().join("letters");
    for words in ["f of letters could not be fetched: 127.0.0.1: cannot be reached (", place.to_str().unwrap(), &url] {
        assert!(stderr.contains(words), "{words}: {stderr}");
    }
    // By hand, as it says.
    fs::write(place.join("f"), b"abc").unwrap();
    assert!(succeeds(&["data", "fetch", "letters"], folder.path()).starts_with("letters: "));
}

#[test]
fn two_programs_at_once_fetch_a_file_once() {
    let bytes = noise(5000);
    let server = Server::of(vec![("/f", Manner::Slowly, bytes.clone())]);
    let (folder, _) = store(&[format!("{}/f", server.address)], &bytes);
    let start = || {
        let mut command = command(&["data", "fetch", "letters"], folder.path());
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let said: Vec<String> = [start(), start()]
        .into_iter()
        .map(|mut program| {
            let mut said = String::new();
            program.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            assert!(program.wait().unwrap().success(), "{said}");
            said
        })
        .collect();
    assert_eq!(said.iter().filter(|said| said.contains("its SHA-256 is right")).count(), 1, "{said:?}");
    assert_eq!(said.iter().filter(|said| said.contains("already there")).count(), 1, "{said:?}");
    assert_eq!(server.ranges(), [None]);
    assert_eq!(fs::read(folder.path().join("letters/f")).unwrap(), bytes);
}

#[test]
fn a_program_that_was_killed_goes_on_where_it_was() {
    let bytes = noise(200_000);
    let server = Server::of(vec![("/f", Manner::HoldsAt(90_000), bytes.clone())]);
    let (folder, _) = store(&[format!("{}/f", server.address)], &bytes);
    let part = folder.path().join("letters/f.part");
    let mut program = command(&["data", "fetch", "letters", "-q"], folder.path()).spawn().unwrap();
    while part.metadata().map_or(0, |metadata| metadata.len()) < 90_000 {
        assert!(program.try_wait().unwrap().is_none(), "it waits for more");
        std::thread::sleep(Duration::from_millis(10));
    }
    program.kill().unwrap();
    program.wait().unwrap();
    assert!(succeeds(&["data", "list"], folder.path()).contains("87.9 KiB of it"));
    succeeds(&["data", "fetch", "letters", "-q"], folder.path());
    assert_eq!(server.ranges(), [None, Some("bytes=90000-".into())]);
    assert_eq!(fs::read(folder.path().join("letters/f")).unwrap(), bytes);
}

/// MNIST's four files with a few images of 4×4, packed.
fn letters() -> Vec<(String, Vec<u8>)> {
    let idx = |axes: &[u32], values: Vec<u8>| {
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(&[0, 0, 8, axes.len() as u8]).unwrap();
        axes.iter().for_each(|axis| packed.write_all(&axis.to_be_bytes()).unwrap());
        packed.write_all(&values).unwrap();
        packed.finish().unwrap()
    };
    let split = |name: &str, n: u32| {
        let labels = (0..n).map(|i| (i % 2) as u8).collect();
        let images = noise(16 * n as usize);
        [
            (format!("{name}-images-idx3-ubyte.gz"), idx(&[n, 4, 4], images)),
            (format!("{name}-labels-idx1-ubyte.gz"), idx(&[n], labels)),
        ]
    };
    [split("train", 20), split("t10k", 10)].concat()
}

/// An archive as that of CIFAR-10, with two images in each batch.
fn photographs() -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    let batches = ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"];
    for batch in batches {
        let records = [[&[3][..], &noise(3072)].concat(), [&[9][..], &noise(3072)].concat()].concat();
        let mut header = tar::Header::new_gnu();
        header.set_size(records.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("batches/{batch}.bin"), &records[..]).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

#[test]
fn what_was_fetched_is_opened_by_its_name() {
    let (letters, photographs) = (letters(), photographs());
    let served: Vec<_> = letters
        .iter()
        .map(|(name, bytes)| (&*format!("/{name}").leak(), Manner::Well, bytes.clone()))
        .chain([("/photographs.tar.gz", Manner::CutAt(1000), photographs.clone())])
        .collect();
    let server = Server::of(served);
    let files: String = letters
        .iter()
        .map(|(name, bytes)| listed(name, bytes, &[format!("{}/{name}", server.address)], "") + ", ")
        .collect();
    let url = format!("{}/photographs.tar.gz", server.address);
    let archive = listed("photographs.tar.gz", &photographs, &[url], "unpack: true");
    let list = format!(
        "Sources([
            (name: \"letters\", what: \"Two letters\", format: Idx, classes: [\"alpha\", \"beta\"], files: [{files}]),
            (name: \"photographs\", what: \"Photographs\", format: Cifar10, folder: \"photographs/batches\",
                flow: \"small.ron\", files: [{archive}])])"
    );
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();

    // The list that comes with the program is the beginning of one's own.
    assert!(succeeds(&["data", "list"], at).contains("fashion-mnist"));
    fs::write(at.join("sources.ron"), succeeds(&["data", "sources"], at)).unwrap();
    assert!(succeeds(&["data", "list"], at).contains("fashion-mnist"));
    fs::write(at.join("sources.ron"), &list).unwrap();
    assert_eq!(succeeds(&["data", "sources"], at), format!("{list}\n"));

    // Before and after.
    let flow = |side: usize, channels: usize| {
        let image = format!("image: (height: {side}, width: {side}, channels: {channels})");
        let train = "train: (data: \"letters\", batch: 4, length: Steps(2))";
        fs::write(at.join("small.ron"), format!("Flow({image}, layers: [Squeeze(), ActNorm()], {train})")).unwrap();
    };
    flow(4, 1);
    let stderr = fails(2, &["train", "small.ron"], at);
    assert!(stderr.contains("get them with `flowstone data fetch letters`"), "{stderr}");
    let row = |row: usize| {
        let json: serde_json::Value = serde_json::from_str(&succeeds(&["data", "list", "--json"], at)).unwrap();
        (json[row]["name"].as_str().unwrap().to_owned(), json[row]["is_there"].as_bool().unwrap())
    };
    assert_eq!([row(0), row(1)], [("letters".to_owned(), false), ("photographs".to_owned(), false)]);

    let stdout = succeeds(&["data", "fetch", "letters", "photographs"], at);
    for words in [
        "letters: ",
        "flowstone train FLOW --data letters",
        at.join("photographs/photographs/batches").to_str().unwrap(),
        "flowstone train small.ron --data photographs",
    ] {
        assert!(stdout.contains(words), "{words}: {stdout}");
    }
    assert_eq!([row(0).1, row(1).1], [true, true]);
    assert!(!at.join("photographs/photographs.tar.gz").exists(), "an archive that was unpacked is removed");
    let asked = server.requests().len();
    succeeds(&["data", "fetch", "photographs"], at);
    assert_eq!(server.requests().len(), asked, "it is there");

    succeeds(&["train", "small.ron", "--out", "letters-run"], at);
    assert!(succeeds(&["eval", "letters-run"], at).contains("test split of letters"));
    flow(32, 3);
    succeeds(&["train", "small.ron", "--data", "photographs", "--out", "photographs-run"], at);
    assert!(succeeds(&["score", "photographs-run", "--data", "photographs"], at).contains("2 images"));
    let store = Store::new(Some(at), None).unwrap();
    let letters = store.load(store.find("letters").unwrap()).unwrap();
    assert_eq!(
        (letters.name.as_str(), &letters.classes[..]),
        ("letters", &["alpha".to_owned(), "beta".to_owned()][..])
    );
    let photographs = store.load(store.find("photographs").unwrap()).unwrap();
    assert_eq!((photographs.train.len(), photographs.classes[3].as_str()), (10, "cat"));

    // Elsewhere they go by their place.
    let stdout = succeeds(&["data", "fetch", "letters", "--to", "other", "--sources", "sources.ron", "-q"], at);
    assert!(stdout.contains("--data idx:other/letters"), "{stdout}");
}

#[test]
fn an_archive_of_another_kind_is_refused_and_nothing_of_it_is_left() {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    archive.append_link(&mut link, "batches", "/etc").unwrap();
    let archive = archive.into_inner().unwrap().finish().unwrap();
    let server = Server::of(vec![("/a.tar.gz", Manner::Well, archive.clone())]);
    let file = listed("a.tar.gz", &archive, &[format!("{}/a.tar.gz", server.address)], "unpack: true");
    let folder = tempfile::tempdir().unwrap();
    let list =
        format!("Sources([(name: \"a\", what: \"A\", format: Cifar10, folder: \"a/batches\", files: [{file}])])");
    fs::write(folder.path().join("sources.ron"), list).unwrap();
    let stderr = fails(2, &["data", "fetch", "a"], folder.path());
    assert!(stderr.contains("'batches' is no file and no folder, but Symlink"), "{stderr}");
    let left = fs::read_dir(folder.path().join("a")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut left: Vec<_> = left.collect();
    left.sort();
    assert_eq!(left, [".lock", "a.tar.gz"]);
}

#[test]
fn a_name_or_a_list_that_is_wrong_is_told_before_anything_is_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let stderr = fails(2, &["data", "fetch", "mnist", "cifar"], at);
    assert!(stderr.contains("no data set is called `cifar`") && stderr.contains("did you mean `cifar10`?"), "{stderr}");
    assert!(fails(2, &["data", "list", "--sources", "nowhere.ron"], at).contains("nowhere.ron"));
    assert!(fails(2, &["train", "digits", "--data", "mnist"], at).contains("flowstone data fetch mnist"));
    let wrong = succeeds(&["data", "sources"], at).replacen("bytes: 9912422", "bytes: \"many\"", 1);
    fs::write(at.join("sources.ron"), wrong).unwrap();
    for command in [&["data", "fetch", "mnist"][..], &["data", "list"], &["train", "digits", "--data", "mnist"]] {
        let stderr = fails(2, command, at);
        assert!(stderr.contains(":45:24: expected a whole number, found `\"many\"`"), "{stderr}");
    }
    assert!(!at.join("mnist").exists() && !at.join("cifar").exists());
}
