//! What will be asked for next, made in the background.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, sync_channel};

use rayon::ThreadPoolBuilder;

use crate::error::{Error, Result};

/// How many are made before they are asked for.
const AHEAD: usize = 2;

/// A sequence, such as the batches of a training run, of which the next items are made while one is in use: reading and
/// decoding images, shifting and flipping them, takes other threads than computing with them.
///
/// ```
/// use flowstone::data::Ahead;
///
/// let mut squares = Ahead::new((3..6).map(|i: u64| Ok(i * i)))?;
/// assert_eq!(squares.next().transpose()?, Some(9));
/// assert_eq!(squares.collect::<flowstone::Result<Vec<u64>>>()?, [16, 25]);
/// # Ok::<(), flowstone::Error>(())
/// ```
#[derive(Debug)]
pub struct Ahead<T> {
    items: Receiver<Result<T>>,
}

impl<T: Send + 'static> Ahead<T> {
    /// Begins to make `items`; work that they share out with rayon stays on threads of their own, a quarter as many as the
    /// machine has. An error is the last item, and so is a panic in making one.
    ///
    /// # Errors
    /// [`Error::Device`] where the system gives no threads.
    pub fn new(items: impl Iterator<Item = Result<T>> + Send + 'static) -> Result<Self> {
        let (sender, receiver) = sync_channel(AHEAD - 1);
        let threads = (rayon::current_num_threads() / 4).max(1);
        let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("loading {i}")).build();
        let pool = pool.map_err(|error| Error::Device(format!("no threads to load images on: {error}")))?;
        pool.spawn(move || {
            let mut items = items;
            loop {
                let item = catch_unwind(AssertUnwindSafe(|| items.next()))
                    .unwrap_or_else(|_| Some(Err(Error::Device("loading images came to an end it should not".into()))));
                let Some(item) = item else { break };
                let is_last = item.is_err();
                // Where it cannot be sent, nobody is there any more to take it.
                if sender.send(item).is_err() || is_last {
                    break;
                }
            }
        });
        Ok(Self { items: receiver })
    }
}

impl<T> Iterator for Ahead<T> {
    type Item = Result<T>;

    /// The next item, as soon as it is there; `None` after the last.
    fn next(&mut self) -> Option<Self::Item> {
        self.items.recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn items_come_in_their_order_and_no_more_of_them_are_made_than_wanted() {
        let made = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&made);
        let items = (0..100u64).map(Ok).inspect(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        let mut ahead = Ahead::new(items).unwrap();
        for i in 0..50 {
            assert_eq!(ahead.next().unwrap().unwrap(), i);
            assert!(made.load(Ordering::SeqCst) <= i + 1 + AHEAD as u64);
        }
        (50..100).for_each(|i| assert_eq!(ahead.next().unwrap().unwrap(), i));
        assert!(ahead.next().is_none() && ahead.next().is_none());
    }

    #[test]
    fn a_panic_in_the_background_is_an_error_not_the_end_of_the_data() {
        let mut ahead = Ahead::new((0..).map(|i| if i < 2 { Ok(i) } else { panic!("out of images") })).unwrap();
        assert_eq!((ahead.next().unwrap().unwrap(), ahead.next().unwrap().unwrap()), (0, 1));
        assert!(ahead.next().unwrap().is_err());
        assert!(ahead.next().is_none());
    }

    #[test]
    fn one_that_is_given_up_ends() {
        let token = Arc::new(());
        let held = Arc::clone(&token);
        let ahead = Ahead::new((0u64..).map(Ok).inspect(move |_| drop(Arc::clone(&held)))).unwrap();
        drop(ahead);
        for _ in 0..1000 {
            if Arc::strong_count(&token) == 1 {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        panic!("it still holds what it reads from");
    }
}
