//! Images of a program's own, as a data set: `cargo run --release --example own_data [FOLDER]`.
//!
//! PNG and JPEG need no program (`--data images:FOLDER`), nor do arrays (`npy:FILE`). This is for files of any other kind:
//! here PGM, a text format of grey pictures, in sub-folders that are classes. All that a data set needs is in [`read`]: grey
//! levels in one array, `[n, height, width, channels]`, a class for each, and the names of the classes.
//!
//! Without a FOLDER it first draws one: crosses and squares on a grainy ground, 8×8 in four grey levels. The flow is
//! class-conditional, so it can be asked for either.

use flowstone::backend::Cpu;
use flowstone::data::{DataSet, Images};
use flowstone::flow::{FlowFile, Model, Registry, Temperatures};
use flowstone::latent::{Classes, Request, decode_rows, sample_sheet};
use flowstone::train::{RunFolder, Start, Trainer};
use flowstone::{Error, Result, noise};
use rand::Rng;
use std::fs;
use std::path::{Path, PathBuf};

const FLOW: &str = r#"Flow(
    image: (height: 8, width: 8, channels: 1, bins: 4),
    define: { "step": [ActNorm(), InvertibleConv(), AffineCoupling(width: 32)] },
    layers: [Squeeze(), Repeat(4, [Use("step")]), Squeeze(), Repeat(4, [Use("step")])],
    prior: Gaussian(learned: true, classes: 2),
    train: (length: Steps(400), warmup: Steps(50), optimizer: Adamax(beta2: 0.999, rule: Published)),
)"#;

const SIDE: usize = 8;
const BINS: usize = 4;

/// The pictures `FOLDER/CLASS/*.pgm` as a data set, every tenth of a class to test on.
fn read(folder: &Path) -> Result<DataSet> {
    let mut classes = Vec::new();
    let mut splits = [(Vec::new(), Vec::new()), (Vec::new(), Vec::new())];
    for (label, class) in sorted(folder)?.iter().enumerate() {
        for (i, file) in sorted(class)?.iter().enumerate() {
            let (levels, labels) = &mut splits[usize::from(i % 10 == 9)];
            levels.extend(read_pgm(file)?);
            labels.push(label as u16);
        }
        classes.push(class.file_name().unwrap_or_default().to_string_lossy().into_owned());
    }
    let [train, test] = splits.map(|(levels, labels)| Images::new(levels, [SIDE, SIDE, 1], Some(labels)));
    Ok(DataSet {
        name: "shapes".into(),
        train: train?,
        test: test?,
        bins: BINS as u32,
        classes,
        features: Vec::new(),
        remarks: Vec::new(),
    })
}

/// The levels of a picture in text: `P2`, width, height, the largest level, and then the levels row by row.
fn read_pgm(path: &Path) -> Result<Vec<u8>> {
    let text = fs::read_to_string(path).map_err(Error::io(path))?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let ["P2", "8", "8", "3", levels @ ..] = &words[..] else {
        return Err(Error::bad_file(path, "expected a PGM of 8×8 in levels up to 3"));
    };
    let levels: Option<Vec<u8>> = levels.iter().map(|level| level.parse().ok().filter(|level| *level < 4)).collect();
    levels
        .filter(|levels| levels.len() == SIDE * SIDE)
        .ok_or_else(|| Error::bad_file(path, "expected 64 levels of 0 to 3"))
}

/// What is in a folder, by name: the same files give the same data set.
fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(Error::io(folder))?;
    let mut paths = entries.map(|entry| Ok(entry.map_err(Error::io(folder))?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// Writes 1,000 pictures of each class, at one of four places.
fn draw(folder: &Path) -> Result<()> {
    let mut rng = noise::NoiseKey::new(0, noise::Purpose::Check).rng(0);
    for class in ["cross", "square"] {
        let folder = folder.join(class);
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        for number in 0..1000 {
            let (top, left) = (rng.gen_range(1..3), rng.gen_range(1..3));
            let mut levels: Vec<u8> = (0..SIDE * SIDE).map(|_| rng.gen_range(0..2)).collect();
            for (i, j) in (0..5).flat_map(|i| (0..5).map(move |j| (i, j))) {
                let (cross, square) = (i == 2 || j == 2, i == 0 || i == 4 || j == 0 || j == 4);
                if (class == "cross" && cross) || (class == "square" && square) {
                    levels[SIDE * (top + i) + left + j] = 3;
                }
            }
            let levels: Vec<String> = levels.iter().map(u8::to_string).collect();
            let path = folder.join(format!("{number:04}.pgm"));
            fs::write(&path, format!("P2 8 8 3\n{}\n", levels.join(" "))).map_err(Error::io(&path))?;
        }
    }
    Ok(())
}

fn main() -> Result<()> {
    let folder = match std::env::args().nth(1) {
        Some(folder) => PathBuf::from(folder),
        None => {
            let folder = PathBuf::from("runs/shapes");
            draw(&folder)?;
            folder
        }
    };
    let data = read(&folder)?;
    let (train, test, names) = (data.train.len(), data.test.len(), data.classes.join(", "));
    println!("{}: {train} images to train on, {test} to test; classes {names}", folder.display());

    let (device, registry) = (Cpu::default(), Registry::<f32, Cpu>::default());
    let file = FlowFile::parse("own_data", FLOW)?;
    let folder = RunFolder::create(None, "own_data")?;
    let outcome = Trainer::new(&device, &file, &registry, data, folder, Start::Fresh)?.run(&mut |_| ())?;
    println!("test: {}, of 2 without a model", outcome.test.with_error());

    let model = Model::load(Path::new(&outcome.folder), &device, &registry, false)?;
    let request = Request {
        count: Some(10),
        temperatures: vec![Temperatures::from(0.7)],
        classes: Classes::All,
        class_names: model.metadata.classes.clone(),
        resampled: Vec::new(),
        contexts: None,
        seed: 0,
    };
    let rows = decode_rows(&model.flow, &device, &request.rows(&model.flow)?)?;
    let path = Path::new(&outcome.folder).join("classes.png");
    sample_sheet(&model.flow, rows).save(&path)?;
    println!("{}: a row of samples of each class", path.display());
    Ok(())
}
