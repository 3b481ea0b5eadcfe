//! The training loop.

use super::batches::{Batches, Minibatch};
use super::checkpoint::CheckpointTensors;
use super::evaluate::{expect_context, expect_images, expect_labels};
use super::inspect::{midpoints, some_labels};
use super::optimizer::swap_weights;
use super::portrait::draw_vectors;
use super::resident::PeakMemory;
use super::timing::{Timing, drop_cut_off_line, read_timing};
use super::{
    Average, Checkpoint, DataIdentity, DataName, Evaluation, HealthRecord, Metrics, OptimizerState, Record, RunFolder,
    StepRecord, ValidationRecord, evaluate, read_metrics,
};
use crate::backend::kernels::MemoryKernel;
use crate::backend::{Device, Element, Initializer, ParameterGradients, Parameters};
use crate::bijector::Effort;
use crate::data::{Copies, DataSet, Images, Portion, Samples, differing_words};
use crate::flow::spec::{Length, Memory, Recipe};
use crate::flow::{
    Batch, Dequantize, Flow, FlowFile, GradientOutcome, LayerHealth, Loss, Model, Rates, Registry, TrainingLoss,
    default_drift_bound,
};
use crate::noise::{NoiseKey, Purpose};
use crate::{Error, Result};
use serde::Serialize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Images whose way through the layers is looked at when a run is saved.
const EXAMINED: usize = 8;

/// Where a run's weights come from.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a> {
    /// The seed, and the first batch.
    Fresh,
    /// A model, to be tuned to other data.
    From(&'a Path),
    /// The checkpoint in the run's folder, on the data that the run began with.
    Resume,
    /// The same, on whatever data it is given from now on.
    ResumeOnOtherData,
}

/// What happens during a run, for whoever watches.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// About to begin.
    Started {
        /// Of the flow.
        parameters: usize,
        /// What the data are called.
        data: &'a str,
        /// Training, held-out and test images.
        images: (usize, usize, usize),
        /// Whether training images are read when they are needed, and not held in memory.
        streamed: bool,
        /// Steps done, and steps to do.
        steps: (u64, u64),
        /// What the recipe comes to.
        rates: Rates,
    },
    /// A step was made.
    Step {
        /// What goes to the metrics.
        record: &'a StepRecord,
        /// Training images per second so far.
        images_per_second: f64,
    },
    /// The flow was evaluated on held-out images.
    Validated {
        /// After this step.
        step: u64,
        /// The result.
        evaluation: &'a Evaluation,
        /// Whether none before was better.
        best: bool,
    },
    /// A layer is past a bound: its inverse loses more digits than training by inversion can spare.
    Strained {
        /// After this step.
        step: u64,
        /// Its figures.
        layer: &'a LayerHealth,
    },
    /// A step's images did not come back by inversion, and its gradient was computed again from stored activations. Told
    /// of the first such step, the second, the fourth, the eighth, and so on.
    Drifted {
        /// This step.
        step: u64,
        /// Its drift; NaN if an image was lost.
        drift: f64,
        /// The drift that is let pass.
        bound: f64,
        /// Such steps so far.
        steps: u64,
        /// The layer that is nearest to its bound, or farthest past it, on the step's images.
        layer: &'a LayerHealth,
    },
    /// The flow was evaluated on test images along the way.
    Tested {
        /// After this step.
        step: u64,
        /// The result.
        evaluation: &'a Evaluation,
    },
}

/// How a run ended.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Steps done.
    pub step: u64,
    /// Of training, the mean over the last steps.
    #[serde(flatten, with = "TrainingLoss")]
    pub train: Loss,
    /// The last model on the test set.
    pub test: Evaluation,
    /// The same of the weights as the optimizer left them, where the last model's are averaged. What others publish is of
    /// either.
    pub raw: Option<Evaluation>,
    /// The best model by validation on the test set, with its step, if there was a validation split and it is not the
    /// last model.
    pub best: Option<(u64, Evaluation)>,
    /// Training images per second.
    pub images_per_second: f64,
    /// Bits/dim of the uniform distribution over the grey levels: a flow that is not below has learned nothing. Vectors have
    /// none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uniform_bits_per_dim: Option<f64>,
    /// The largest drift of any step; NaN if an image was lost.
    pub largest_drift: f64,
    /// Steps computed again from stored activations because the drift was past its bound.
    pub stored_steps: u64,
    /// Updates left out because the gradient was not finite.
    pub skipped_updates: u64,
    /// Samples on the sheet that was drawn at the end.
    pub samples: usize,
    /// Those of them, by number from 0 through all rows, that are no images: they have values that are not finite.
    pub samples_not_finite: Vec<usize>,
    /// The run's folder.
    pub folder: String,
}

/// A flow in training.
pub struct Trainer<'a, E: Element, D: Device<E>> {
    device: D,
    file: &'a FlowFile,
    registry: &'a Registry<E, D>,
    data: DataSet,
    identity: DataIdentity,
    validation: Images,
    /// The test images that are evaluated along the way.
    interim: Images,
    portion: Portion,
    batches: Batches,
    folder: RunFolder,
    flow: Flow<E, D>,
    optimizer: OptimizerState<E, D>,
    average: Option<Average<E, D>>,
    step: u64,
    total: u64,
    best: Option<(f64, u64)>,
    /// Seconds of training steps, those of earlier processes included.
    seconds: f64,
    /// Raised by whoever wants the run to stop.
    stop: Option<&'a AtomicBool>,
    remarks: Vec<String>,
}

impl<'a, E: Element, D: Device<E>> Trainer<'a, E, D> {
    /// A run of `file`'s recipe in a folder.
    ///
    /// # Errors
    /// [`Error::Usage`] if data and flow do not fit each other or the recipe has no length; [`Error::BadFile`] for a
    /// checkpoint or model that does not fit the flow.
    pub fn new(
        device: &D,
        file: &'a FlowFile,
        registry: &'a Registry<E, D>,
        data: DataSet,
        folder: RunFolder,
        start: Start,
    ) -> Result<Self> {
        Self::with_portions(device, file, registry, data, folder, start, Portion::Spread)
    }

    /// The same, where the images that are held out and those evaluated along the way are taken as `portion` says. A run
    /// that is resumed takes those that it was begun with.
    ///
    /// # Errors
    /// As [`Trainer::new`].
    pub fn with_portions(
        device: &D,
        file: &'a FlowFile,
        registry: &'a Registry<E, D>,
        mut data: DataSet,
        folder: RunFolder,
        start: Start,
        portion: Portion,
    ) -> Result<Self> {
        let recipe: &Recipe = &file.spec.train;
        let identity = DataIdentity::of(&data)?;
        let read = || Checkpoint::read(&folder.file("checkpoint.safetensors"));
        let resumes = matches!(start, Start::Resume | Start::ResumeOnOtherData);
        let resumed = resumes.then(read).transpose()?;
        if let (Some((Checkpoint { data: Some(began), .. }, ..)), Start::Resume) = (&resumed, start) {
            began.expect(&identity, &format!("the run in {}", folder.path().display()))?;
        }
        let portion = resumed.as_ref().map_or(portion, |(checkpoint, ..)| checkpoint.portion);
        let validation = data.hold_out(recipe.validation, portion)?;
        let interim = portion.of(&data.test, recipe.test_images.unwrap_or(usize::MAX))?;
        let batches = Batches::new(recipe, &data);
        let train = &data.train;
        let flow = Flow::build(file, registry, &Initializer::new(device, recipe.seed))?;
        for images in [train, &data.test] {
            expect_images(&flow, images)?;
        }
        for (images, split) in [(train, "training"), (&validation, "validation"), (&data.test, "test")] {
            expect_labels(&flow, images, &format!("{split} image"))?;
            expect_context(&flow, images, &format!("the {split} images"))?;
        }
        if flow.classes().is_some() && train.label(0).is_none() {
            return Err(Error::Usage(format!("the flow is class-conditional, and {} has no labels", data.name)));
        }
        let steps_per_epoch = train.len() as f64 / recipe.batch as f64;
        let total = match (recipe.length, recipe.time_limit) {
            (Some(length), _) => length.steps(recipe.batch, train.len()).ceil() as u64,
            (None, Some(_)) => u64::MAX,
            (None, None) => {
                let message = "how long to train is not said: give --steps or --epochs, or `length` in the recipe";
                return Err(Error::Usage(message.into()));
            }
        };
        let optimizer = OptimizerState::new(device, &flow, recipe.optimizer, steps_per_epoch)?;
        let decay = recipe.averaging.decay(steps_per_epoch);
        let average = decay.map(|decay| Average::new(device, &flow, decay)).transpose()?;
        let remarks = recipe.remarks(train.len() + validation.len());
        let (step, best, seconds) = (0, None, 0.0);
        let device = device.clone();
        let mut trainer = Self {
            device,
            file,
            registry,
            data,
            identity,
            validation,
            interim,
            portion,
            batches,
            folder,
            flow,
            optimizer,
            average,
            step,
            total,
            best,
            seconds,
            stop: None,
            remarks,
        };
        match (resumed, start) {
            (Some((checkpoint, _, tensors)), _) => trainer.restore(&checkpoint, tensors)?,
            (None, Start::From(path)) => {
                let model = Model::load(path, &trainer.device, registry, false)?;
                if trainer.flow.classes().is_some() {
                    trainer.remarks.extend(differing_words(&trainer.data.classes, &model.metadata.classes));
                }
                trainer.flow.fill(&trainer.device, path, model.flow.tensors(&trainer.device)?)?;
                trainer.flow.prepare(&trainer.device)?;
            }
            (None, _) => {
                let images = recipe.initialization_images.min(trainer.data.train.len());
                trainer.remarks.extend(trainer.flow.initialization_remark(images));
                trainer.initialize()?;
            }
        }
        if trainer.is_over() && trainer.has_ended()? {
            let (step, total) = (trainer.step, trainer.total);
            let message = format!("nothing to train: at step {step} of {total}; give --steps or --epochs beyond that");
            return Err(Error::Usage(message));
        }
        Ok(trainer)
    }

    /// Lets the run be stopped: once `stop` is true, it ends after the step it is in, with all of its state saved.
    #[must_use]
    pub fn stoppable(mut self, stop: &'a AtomicBool) -> Self {
        self.stop = Some(stop);
        self
    }

    /// What a person should hear of before the run begins: that the model it starts from has other classes, or that with
    /// these images the recipe comes to nothing ([`Flow::initialization_remark`], [`Recipe::remarks`]).
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The flow as it is, with the optimizer's weights.
    pub fn flow(&self) -> &Flow<E, D> {
        &self.flow
    }

    /// Of the images held out, and of those to test on, how many are among the training images too. Where images are read
    /// when they are needed, that is not looked at.
    ///
    /// # Errors
    /// As [`Copies::count`].
    pub fn copies(&self) -> Result<[Copies; 2]> {
        let train = &self.data.train;
        Ok([Copies::if_held("validation", &self.validation, train)?, Copies::if_held("test", &self.data.test, train)?])
    }

    fn recipe(&self) -> &'a Recipe {
        &self.file.spec.train
    }

    /// Whether there is no step left to make.
    fn is_over(&self) -> bool {
        self.step >= self.total || self.recipe().time_limit.is_some_and(|limit| self.seconds >= limit)
    }

    /// Whether the run's last evaluation has been made, or the run is past its end. One that was killed between its
    /// last step and that evaluation has that still to do.
    fn has_ended(&self) -> Result<bool> {
        let path = self.folder.file("metrics.jsonl");
        let records = if path.exists() { read_metrics(&path)? } else { Vec::new() };
        let ended = records.iter().any(|record| matches!(record, Record::Test(_)));
        Ok(ended || records.is_empty() || self.step > self.total)
    }

    fn epoch(&self) -> f64 {
        self.step as f64 * self.recipe().batch as f64 / self.data.train.len() as f64
    }

    /// The data-dependent initialisation, from the first images of the first epoch.
    fn initialize(&mut self) -> Result<()> {
        if self.flow.is_of_vectors() {
            let all: Vec<usize> = (0..self.data.train.len()).collect();
            if let Samples::Reals(vectors) = self.data.train.samples(&all)? {
                self.flow.standardize(&self.device, &vectors, &self.data.features)?;
            }
        }
        let first = self.batches.first()?;
        let how = Dequantize::Uniform(NoiseKey::new(self.recipe().seed, Purpose::FirstBatch));
        let x = self.flow.images(&self.device, &first.batch(how), &(0..first.numbers.len()))?;
        self.flow.initialize(x)?;
        self.flow.prepare(&self.device)
    }

    fn restore(&mut self, checkpoint: &Checkpoint, tensors: CheckpointTensors<E>) -> Result<()> {
        let path = self.folder.file("checkpoint.safetensors");
        if let Some(began) = &checkpoint.data {
            self.identity.directory.clone_from(&began.directory);
        }
        let average = self.average.as_mut();
        tensors.restore(&path, &self.device, &mut self.flow, &mut self.optimizer, average)?;
        (self.step, self.best) = (checkpoint.step, checkpoint.best);
        self.optimizer.updates = checkpoint.updates;
        self.seconds = read_timing(self.folder.path())?.seconds_to(self.step);
        Ok(())
    }

    /// Trains to the end, telling `watch` what happens.
    ///
    /// # Errors
    /// [`Error::NonFinite`] with the layer, when the loss is not a number; [`Error::Io`] if something cannot be
    /// written; [`Error::Stopped`] if it was asked to stop, and can go on. What was saved stays.
    pub fn run(mut self, watch: &mut dyn FnMut(Event)) -> Result<Outcome> {
        let recipe = self.recipe();
        // Before anything else: a run that is killed at once can go on, from here.
        self.save_checkpoint()?;
        crate::files::write_atomically(self.folder.file("flow.ron"), self.file.text.as_bytes())?;
        let mut metrics = Metrics::open(&self.folder.file("metrics.jsonl"), self.step)?;
        drop_cut_off_line(self.folder.path())?;
        let train_images = self.data.train.len();
        let every = |length: Length| length.steps(recipe.batch, train_images).round().max(1.0) as u64;
        let (validate_every, test_every) = (every(recipe.validate_every), recipe.test_every.map(every));
        watch(Event::Started {
            parameters: self.flow.trained_count(),
            data: &self.data.name,
            images: (self.data.train.len(), self.validation.len(), self.data.test.len()),
            streamed: self.data.train.is_streamed(),
            steps: (self.step, self.total),
            rates: recipe.rates(train_images + self.validation.len()),
        });
        let (mut tally, mut peak) = (Tally::default(), PeakMemory::default());
        let mut batches = self.batches.from(self.step)?;
        peak.restart();
        while !self.is_over() {
            let begin = Instant::now();
            let batch = match batches.next() {
                Some(Err(unreadable)) => {
                    self.save(&metrics)?;
                    return Err(unreadable);
                }
                Some(Ok(batch)) => batch,
                None => break,
            };
            let record = self.train_step(&batch, tally.stored, watch)?;
            let seconds = begin.elapsed().as_secs_f64();
            tally.add(&record, recipe.batch, seconds);
            self.seconds += seconds;
            let images_per_second = tally.images_per_second();
            let timing = Timing { step: self.step, seconds: tally.seconds, images_per_second, peak_mib: peak.mib() };
            timing.append(self.folder.path())?;
            watch(Event::Step { record: &record, images_per_second });
            metrics.append(&Record::Step(record))?;
            let is_due = |every: u64| self.step.is_multiple_of(every) || self.is_over();
            let (tests, saves) = (test_every.is_some_and(is_due), is_due(validate_every));
            if tests {
                self.test(&mut metrics, watch)?;
            }
            if saves {
                self.validate(&mut metrics, watch)?;
                self.examine(&mut metrics, watch)?;
                self.save(&metrics)?;
            }
            if self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) && !self.is_over() {
                if !saves {
                    self.save(&metrics)?;
                }
                let (step, folder) = (self.step, self.folder.path().display().to_string());
                return Err(Error::Stopped { step, folder });
            }
            if tests || saves {
                peak.restart();
            }
        }
        self.finish(metrics, &tally)
    }

    /// One step: gradient, guard, update, average. `stored_before` steps needed stored activations.
    fn train_step(
        &mut self,
        batch: &Minibatch,
        stored_before: u64,
        watch: &mut dyn FnMut(Event),
    ) -> Result<StepRecord> {
        let recipe = self.recipe();
        let key = NoiseKey::new(recipe.seed, Purpose::Dequantize).at(self.step);
        let batch = batch.batch(Dequantize::Uniform(key));
        self.step += 1;

        let mut outcome = self.flow.gradient(&self.device, &batch, recipe.memory)?;
        let drift = outcome.drift;
        let bound = recipe.drift_bound.unwrap_or_else(default_drift_bound::<E>);
        let stored = drift.is_nan() || drift > bound;
        if stored {
            let steps = stored_before + 1;
            let worst = if steps.is_power_of_two() { self.worst_layer(&batch)? } else { None };
            if let Some(layer) = &worst {
                watch(Event::Drifted { step: self.step, drift, bound, steps, layer });
            }
            outcome = self.flow.gradient(&self.device, &batch, Memory::Store)?;
        }
        self.expect_finite(&outcome, &batch)?;

        let gradient_norm = self.gradient_norm(&outcome.gradients)?;
        let learning_rate = recipe.learning_rate * self.warmth();
        let skipped = !gradient_norm.is_finite();
        if !skipped {
            if let Some(bound) = recipe.clip_gradient_norm.filter(|bound| gradient_norm > *bound) {
                self.scale_gradients(&mut outcome.gradients, bound / gradient_norm)?;
            }
            self.optimizer.step(&self.device, &mut self.flow, &outcome.gradients, learning_rate)?;
            self.flow.prepare(&self.device)?;
            if let Some(average) = &mut self.average {
                average.add(&self.device, &self.flow, self.optimizer.updates)?;
            }
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        Ok(StepRecord {
            step: self.step,
            epoch: self.epoch(),
            train: self.flow.unit().loss(self.flow.unit().of(mean(&outcome.log_prob))),
            cross_entropy_bits: (!outcome.cross_entropy.is_empty()).then(|| mean(&outcome.cross_entropy)),
            gradient_norm,
            learning_rate,
            drift,
            stored,
            skipped,
        })
    }

    /// The layer that is nearest to its bound on the images of a batch, or farthest past it.
    fn worst_layer(&self, batch: &Batch) -> Result<Option<LayerHealth>> {
        let (count, mut worst) = (batch.numbers.len(), None);
        for start in (0..count).step_by(EXAMINED) {
            let range = start..(start + EXAMINED).min(count);
            let (x, labels) = (self.flow.images(&self.device, batch, &range)?, self.flow.labels(batch, &range));
            worst =
                LayerHealth::worst(worst.into_iter().chain(self.flow.layer_health_with(x, labels, Effort::BRIEF)?));
        }
        Ok(worst)
    }

    /// The share of the full learning rate that this step has.
    fn warmth(&self) -> f64 {
        let steps = self.recipe().warmup.steps(self.recipe().batch, self.data.train.len());
        if steps > 0.0 { (self.step as f64 / steps).min(1.0) } else { 1.0 }
    }

    fn expect_finite(&self, outcome: &GradientOutcome<E, D>, batch: &Batch) -> Result<()> {
        let Some(bad) = outcome.log_prob.iter().position(|l| !l.is_finite()) else { return Ok(()) };
        let x = self.flow.images(&self.device, batch, &(bad..bad + 1))?;
        let layer = self.flow.first_non_finite(x)?.unwrap_or_else(|| "prior".into());
        let learning_rate = self.recipe().learning_rate * self.warmth();
        let cause = format!(
            "ln p of image {bad} of the batch is {}, at a learning rate of {learning_rate:.1e}",
            outcome.log_prob[bad]
        );
        Err(Error::NonFinite { layer, step: self.step, cause })
    }

    fn gradient_norm(&self, gradients: &ParameterGradients<E, D>) -> Result<f64> {
        let mut all = Vec::new();
        self.flow.visit("", &mut |_, parameter| all.extend(gradients.get(parameter.id())));
        Ok(MemoryKernel::<E>::sum_of_squares(&self.device, all)?.sqrt())
    }

    fn scale_gradients(&self, gradients: &mut ParameterGradients<E, D>, factor: f64) -> Result<()> {
        let mut outcome = Ok(());
        self.flow.visit("", &mut |_, parameter| {
            if let (Some(gradient), Ok(())) = (gradients.get_mut(parameter.id()), &outcome) {
                outcome = MemoryKernel::<E>::scale(&self.device, gradient, factor);
            }
        });
        outcome
    }

    /// Runs `f` with the averaged weights in place, where there are any.
    fn with_average<T>(&mut self, f: impl FnOnce(&Flow<E, D>, &D) -> Result<T>) -> Result<T> {
        let Some(average) = self.average.as_mut().filter(|_| self.optimizer.updates > 0) else {
            return f(&self.flow, &self.device);
        };
        swap_weights(&self.device, &mut self.flow, &mut average.mean)?;
        let result = f(&self.flow, &self.device);
        swap_weights(&self.device, &mut self.flow, &mut average.mean)?;
        result
    }

    fn evaluate(&mut self, images: &Images, split: &str) -> Result<Evaluation> {
        let name = DataName { name: self.data.name.clone(), split: split.into(), fingerprint: images.fingerprint()? };
        let seed = self.recipe().seed;
        let weights = if self.average.is_some() { "averaged" } else { "raw" };
        let mut evaluation = self.with_average(|flow, device| evaluate(flow, device, images, name, (seed, 1)))?;
        evaluation.weights = weights.into();
        Ok(evaluation)
    }

    fn validate(&mut self, metrics: &mut Metrics, watch: &mut dyn FnMut(Event)) -> Result<()> {
        if self.validation.is_empty() {
            return Ok(());
        }
        let images = self.validation.clone();
        let evaluation = self.evaluate(&images, "validation")?;
        let loss = evaluation.loss.value();
        let best = loss.is_finite() && self.best.is_none_or(|(least, _)| loss < least);
        watch(Event::Validated { step: self.step, evaluation: &evaluation, best });
        if best {
            self.best = Some((loss, self.step));
            self.save_model("best.safetensors")?;
        }
        metrics.append(&Record::Validation(ValidationRecord {
            step: self.step,
            epoch: self.epoch(),
            evaluation,
            raw: None,
        }))
    }

    /// Evaluates on the test images of the curve.
    fn test(&mut self, metrics: &mut Metrics, watch: &mut dyn FnMut(Event)) -> Result<()> {
        let images = self.interim.clone();
        let evaluation = self.evaluate(&images, "test")?;
        watch(Event::Tested { step: self.step, evaluation: &evaluation });
        metrics.append(&Record::Interim(ValidationRecord {
            step: self.step,
            epoch: self.epoch(),
            evaluation,
            raw: None,
        }))
    }

    fn save_model(&self, name: &str) -> Result<()> {
        let average = self.average.as_ref().filter(|_| self.optimizer.updates > 0).map(|average| &average.mean);
        self.flow.save(&self.device, &self.folder.file(name), self.file, self.step, average, &self.data.classes)
    }

    /// Records the health of the layers on the first images to train on, and tells of one that is past its bound.
    fn examine(&mut self, metrics: &mut Metrics, watch: &mut dyn FnMut(Event)) -> Result<()> {
        let images = self.data.train.select(0..EXAMINED.min(self.data.train.len()))?;
        let (x, labels) = (midpoints(&self.flow, &self.device, &images)?, some_labels(&self.flow, &images));
        let layers = self.flow.layer_health_with(x, labels.as_deref(), Effort::BRIEF)?;
        let Some(record) = HealthRecord::of(self.step, self.epoch(), &layers) else { return Ok(()) };
        if let Some(layer) = layers.iter().find(|layer| layer.path == record.layer && layer.strain.ratio > 1.0) {
            watch(Event::Strained { step: self.step, layer });
        }
        metrics.append(&Record::Health(record))
    }

    /// Writes model, checkpoint and curve, once the records so far are on the disk.
    fn save(&self, metrics: &Metrics) -> Result<()> {
        metrics.sync()?;
        self.save_model("model.safetensors")?;
        self.save_checkpoint()?;
        self.folder.draw_curve(&self.file.name)
    }

    fn save_checkpoint(&self) -> Result<()> {
        let checkpoint = Checkpoint {
            version: crate::flow::FORMAT_VERSION,
            name: self.file.name.clone(),
            flow: self.file.text.clone(),
            step: self.step,
            updates: self.optimizer.updates,
            best: self.best,
            data: Some(self.identity.clone()),
            portion: self.portion,
        };
        let path = self.folder.file("checkpoint.safetensors");
        checkpoint.save(&path, &self.device, &self.flow, &self.optimizer, self.average.as_ref())
    }

    fn finish(mut self, mut metrics: Metrics, tally: &Tally) -> Result<Outcome> {
        let images = self.data.test.clone();
        let test = self.evaluate(&images, "test")?;
        let averaged = self.average.is_some() && self.optimizer.updates > 0;
        let raw =
            averaged.then(|| evaluate(&self.flow, &self.device, &images, test.data.clone(), (self.recipe().seed, 1)));
        let raw = raw.transpose()?;
        let best = match self.best.filter(|(_, step)| *step != self.step) {
            Some((_, step)) => {
                let path = self.folder.file("best.safetensors");
                let model = Model::load(&path, &self.device, self.registry, false)?;
                let mut evaluation =
                    evaluate(&model.flow, &self.device, &images, test.data.clone(), (self.recipe().seed, 1))?;
                evaluation.weights = test.weights.clone();
                Some((step, evaluation))
            }
            None => None,
        };
        let seed = self.recipe().seed;
        let folder = self.folder.path().display().to_string();
        // Images that are neither grey nor of colours cannot be shown.
        let (samples_not_finite, samples) =
            if matches!(self.flow.image_shape().channels, 1 | 3) && !self.flow.is_of_vectors() {
                let images = self.data.test.clone();
                let sheet = self.with_average(|flow, device| super::run::sample_sheet(flow, device, seed, &images))?;
                sheet.save(self.folder.file("samples").join("samples.png"))?;
                sheet.not_finite()
            } else {
                (Vec::new(), 0)
            };
        if self.flow.is_of_vectors() {
            let (path, name) = (self.folder.file("samples").join("density.png"), &self.file.name);
            self.with_average(|flow, device| draw_vectors(flow, device, &images, name, seed, &path))?;
        }
        // Last: a run with this record is done.
        let record =
            ValidationRecord { step: self.step, epoch: self.epoch(), evaluation: test.clone(), raw: raw.clone() };
        metrics.append(&Record::Test(record))?;
        self.folder.draw_curve(&self.file.name)?;
        Ok(Outcome {
            step: self.step,
            train: self.flow.unit().loss(tally.recent()),
            test,
            raw,
            best,
            images_per_second: tally.images_per_second(),
            uniform_bits_per_dim: (!self.flow.is_of_vectors()).then(|| f64::from(self.flow.bins()).log2()),
            largest_drift: tally.largest_drift,
            stored_steps: tally.stored,
            skipped_updates: tally.skipped,
            samples,
            samples_not_finite,
            folder,
        })
    }
}

/// Sums over the steps of this process.
#[derive(Default)]
struct Tally {
    seconds: f64,
    images: usize,
    losses: Vec<f64>,
    largest_drift: f64,
    stored: u64,
    skipped: u64,
}

impl Tally {
    fn add(&mut self, record: &StepRecord, images: usize, seconds: f64) {
        self.seconds += seconds;
        self.images += images;
        self.losses.push(record.train.value());
        if record.drift.is_nan() || record.drift > self.largest_drift {
            self.largest_drift = record.drift;
        }
        self.stored += u64::from(record.stored);
        self.skipped += u64::from(record.skipped);
    }

    fn images_per_second(&self) -> f64 {
        self.images as f64 / self.seconds.max(f64::MIN_POSITIVE)
    }

    /// The mean over the last steps, at most 50.
    fn recent(&self) -> f64 {
        let last = &self.losses[self.losses.len().saturating_sub(50)..];
        last.iter().sum::<f64>() / last.len() as f64
    }
}
