//! Images and per-sample numbers: what flows through a flow.

use super::{Buffer, Device, Element, kernels::MemoryKernel};
use crate::{Error, Result};
use dfdx::tensor::Storage;
use std::fmt;
use std::sync::Arc;

/// The shape of one image: `[height, width, channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImageShape {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels, the fastest axis.
    pub channels: usize,
}

impl ImageShape {
    /// `[height, width, channels]`.
    pub const fn new(height: usize, width: usize, channels: usize) -> Self {
        Self { height, width, channels }
    }

    /// Pixels of one image: `height · width`.
    pub const fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Dimensions of one image: `height · width · channels`.
    pub const fn dims(&self) -> usize {
        self.pixels() * self.channels
    }

    /// The same picture with another number of channels.
    pub const fn with_channels(self, channels: usize) -> Self {
        Self { channels, ..self }
    }
}

impl fmt::Display for ImageShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}×{}", self.height, self.width, self.channels)
    }
}

/// A batch of images `[batch, height, width, channels]` on a device, row-major, channels fastest.
///
/// It may carry a *context*: what each image is given, of which a conditional layer makes its numbers. Copies and runs of
/// channels carry it on; to hand it on costs nothing.
///
/// [`Clone`] panics where the device has no memory left, for dfdx's storage does; [`Image::copied`] gives an error.
#[derive(Clone)]
pub struct Image<E: Element, D: Device<E>> {
    device: D,
    batch: usize,
    shape: ImageShape,
    data: Buffer<E, D>,
    given: Option<Arc<Image<E, D>>>,
}

impl<E: Element, D: Device<E>> Image<E, D> {
    /// Images whose values are zero.
    pub fn zeros(device: &D, batch: usize, shape: ImageShape) -> Result<Self> {
        let data = MemoryKernel::<E>::zeros(device, batch * shape.dims())?;
        Ok(Self::from_buffer(device, batch, shape, data))
    }

    /// Images from values on the host, `[batch, height, width, channels]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not `batch · height · width · channels` values.
    pub fn from_host(device: &D, batch: usize, shape: ImageShape, values: &[E]) -> Result<Self> {
        if values.len() != batch * shape.dims() {
            return Err(Error::Shape {
                layer: "image".into(),
                expected: format!("{} values for {batch} images of {shape}", batch * shape.dims()),
                found: format!("{}", values.len()),
            });
        }
        let data = device.upload(values)?;
        Ok(Self::from_buffer(device, batch, shape, data))
    }

    /// Images around a buffer that already holds `batch · height · width · channels` values.
    pub(crate) fn from_buffer(device: &D, batch: usize, shape: ImageShape, data: Buffer<E, D>) -> Self {
        debug_assert_eq!(<D as Storage<E>>::len(device, &data), batch * shape.dims());
        Self { device: device.clone(), batch, shape, data, given: None }
    }

    /// A copy, as [`Clone`] makes one.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] where the device has no memory for it.
    pub fn copied(&self) -> Result<Self> {
        let data = MemoryKernel::<E>::copy(&self.device, &self.data)?;
        Ok(Self::from_buffer(&self.device, self.batch, self.shape, data).giving(self.shared_given()))
    }

    /// The context that the images carry, `[batch, …]`, one for each of them.
    pub fn given(&self) -> Option<&Self> {
        self.given.as_deref()
    }

    /// The same, to be handed on.
    pub fn shared_given(&self) -> Option<Arc<Self>> {
        self.given.clone()
    }

    /// The same images with this context, or with none.
    #[must_use]
    pub fn giving(self, given: Option<Arc<Self>>) -> Self {
        Self { given, ..self }
    }

    /// The values on the host, `[batch, height, width, channels]`.
    pub fn to_host(&self) -> Result<Vec<E>> {
        self.device.download(&self.data)
    }

    /// The device that holds the images.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// How many images.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The shape of one image.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// Pixels of all images together: the rows of the matrix `[batch · height · width, channels]`.
    pub fn rows(&self) -> usize {
        self.batch * self.shape.pixels()
    }

    /// The values on the device.
    pub fn data(&self) -> &Buffer<E, D> {
        &self.data
    }

    /// The values on the device, to be changed in place.
    pub fn data_mut(&mut self) -> &mut Buffer<E, D> {
        &mut self.data
    }

    /// The values on the device, without the shape.
    pub fn into_data(self) -> Buffer<E, D> {
        self.data
    }

    /// A copy of the channels `start .. start + count`.
    pub fn channels(&self, start: usize, count: usize) -> Result<Self> {
        let data = self.device.slice_channels(&self.data, self.rows(), self.shape.channels, start, count)?;
        let part = Self::from_buffer(&self.device, self.batch, self.shape.with_channels(count), data);
        Ok(part.giving(self.shared_given()))
    }

    /// Overwrites the channels from `start` on with those of `part`.
    pub fn set_channels(&mut self, start: usize, part: &Self) -> Result<()> {
        let (rows, channels) = (self.rows(), self.shape.channels);
        self.device.place_channels(&mut self.data, rows, channels, start, &part.data, part.shape.channels)
    }

    /// Adds `part` to the channels from `start` on.
    pub fn add_channels(&mut self, start: usize, part: &Self) -> Result<()> {
        self.device.add_channels(&mut self.data, self.shape.channels, start, &part.data, part.shape.channels)
    }

    /// These channels followed by those of `tail`.
    pub fn concat_channels(&self, tail: &Self) -> Result<Self> {
        let channels = self.shape.channels + tail.shape.channels;
        let mut whole = Self::zeros(&self.device, self.batch, self.shape.with_channels(channels))?;
        whole.set_channels(0, self)?;
        whole.set_channels(self.shape.channels, tail)?;
        Ok(whole.giving(self.shared_given()))
    }

    /// Adds another batch of the same shape, element by element.
    pub fn add_assign(&mut self, other: &Self) -> Result<()> {
        MemoryKernel::<E>::add_assign(&self.device, &mut self.data, &other.data)
    }

    /// Refuses images that are not `expected`.
    pub fn expect_shape(&self, layer: &str, expected: ImageShape) -> Result<()> {
        if self.shape == expected {
            return Ok(());
        }
        Err(Error::Shape { layer: layer.into(), expected: expected.to_string(), found: self.shape.to_string() })
    }

    /// Refuses images whose number of channels is not `channels`.
    pub fn expect_channels(&self, layer: &str, channels: usize) -> Result<()> {
        self.expect_shape(layer, self.shape.with_channels(channels))
    }
}

impl<E: Element, D: Device<E>> fmt::Debug for Image<E, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image<{}>[{} × {}]", E::NAME, self.batch, self.shape)
    }
}

/// One `f64` per image: log-determinants and log-densities, in nats.
///
/// What is the same for every image is a number on the host, so that layers of constant ladj cost the device nothing;
/// what differs stands on the images' device.
#[derive(Clone, Debug)]
pub struct PerSample<D: MemoryKernel<f64>> {
    device: D,
    batch: usize,
    /// Of every image.
    constant: f64,
    /// Beside it, of each.
    data: Option<Buffer<f64, D>>,
}

impl<D: MemoryKernel<f64>> PerSample<D> {
    /// `value` for each of `batch` images.
    pub fn constant(device: &D, batch: usize, value: f64) -> Self {
        Self { device: device.clone(), batch, constant: value, data: None }
    }

    /// Zero for each of `batch` images.
    pub fn zeros(device: &D, batch: usize) -> Self {
        Self::constant(device, batch, 0.0)
    }

    /// One value per image from the host.
    pub fn from_host(device: &D, values: &[f64]) -> Result<Self> {
        let data = Some(device.upload(values)?);
        Ok(Self { device: device.clone(), batch: values.len(), constant: 0.0, data })
    }

    /// The values on the host.
    pub fn to_host(&self) -> Result<Vec<f64>> {
        let Some(data) = &self.data else { return Ok(vec![self.constant; self.batch]) };
        Ok(self.device.download(data)?.into_iter().map(|value| value + self.constant).collect())
    }

    /// Adds another value per image.
    pub fn add_assign(&mut self, other: &Self) -> Result<()> {
        self.constant += other.constant;
        match &other.data {
            Some(other) => {
                let device = self.device.clone();
                device.add_assign(self.data_mut()?, other)
            }
            None => Ok(()),
        }
    }

    /// `[batch]` on the device, to be added to.
    pub fn data_mut(&mut self) -> Result<&mut Buffer<f64, D>> {
        let data = match self.data.take() {
            Some(data) => data,
            None => self.device.zeros(self.batch)?,
        };
        Ok(self.data.insert(data))
    }

    /// A copy, as [`Clone`] makes one, but with an error where the device has no memory for it.
    pub fn copied(&self) -> Result<Self> {
        let data = self.data.as_ref().map(|data| self.device.copy(data)).transpose()?;
        Ok(Self { device: self.device.clone(), data, ..*self })
    }
}
