//! Values that another thread makes a few ahead of their use, in order.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Builder, ScopedJoinHandle, scope};

use crate::diagnostics::{Diagnostic, codes};

/// How many values wait at most; one more may be in the making.
pub const AHEAD: usize = 4;

/// The values, as they become ready.
pub struct Ahead<'scope, T> {
    ready: Option<Receiver<T>>,
    maker: Option<ScopedJoinHandle<'scope, ()>>,
}

/// Runs `items` on another thread while `take` takes what it gives. When `take` returns early,
/// no further item is made. A panic of the other thread goes on in this one, at the place where
/// its item is asked for.
pub fn ahead<T: Send, R>(
    items: impl Iterator<Item = T> + Send,
    take: impl FnOnce(&mut Ahead<'_, T>) -> Result<R, Diagnostic>,
) -> Result<R, Diagnostic> {
    scope(|scope| {
        let (send, ready) = sync_channel(AHEAD);
        let make = move || {
            // A closed channel means that nobody takes any more.
            let mut items = items;
            while items.next().is_some_and(|item| send.send(item).is_ok()) {}
        };
        let maker = Builder::new().name("mtlc-data".into()).spawn_scoped(scope, make).map_err(|e| no_thread(&e))?;
        let mut values = Ahead { ready: Some(ready), maker: Some(maker) };
        let taken = take(&mut values);
        values.end();
        taken
    })
}

/// The diagnostic for a machine that gives no thread.
pub fn no_thread(error: &impl std::fmt::Display) -> Diagnostic {
    Diagnostic::placeless(codes::BUG, format!("no thread could be started: {error}"))
}

impl<T> Ahead<'_, T> {
    /// Lets the maker end, and passes its panic on.
    fn end(&mut self) {
        self.ready = None;
        if let Some(Err(panic)) = self.maker.take().map(ScopedJoinHandle::join) {
            resume_unwind(panic);
        }
    }
}

impl<T> Iterator for Ahead<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let item = self.ready.as_ref()?.recv().ok();
        if item.is_none() {
            self.end();
        }
        item
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn all_items_come_in_order() {
        let all = ahead(0..1000, |items| Ok(items.collect::<Vec<_>>())).unwrap();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
        assert_eq!(ahead(std::iter::empty::<u8>(), |items| Ok(items.next())).unwrap(), None);
    }

    #[test]
    fn few_items_wait_and_none_is_made_for_nobody() {
        let made = AtomicUsize::new(0);
        let count = (0..1000).inspect(|_| {
            made.fetch_add(1, Ordering::SeqCst);
        });
        let stop = Diagnostic::placeless(codes::TRAIN, "enough");
        let stopped = ahead(count, |items| {
            items.nth(9);
            std::thread::sleep(Duration::from_millis(50));
            assert!(made.load(Ordering::SeqCst) <= 10 + AHEAD + 1);
            Err::<(), _>(stop.clone())
        });
        assert_eq!(stopped.unwrap_err(), stop);
        assert!(made.load(Ordering::SeqCst) <= 10 + AHEAD + 2);
    }

    #[test]
    fn a_panic_comes_where_its_item_is_asked_for() {
        let items = (0..10).map(|i| if i == 6 { panic!("item {i}") } else { i });
        let mut seen = Vec::new();
        let collect = |items: &mut Ahead<'_, i32>| {
            seen.extend(items);
            Ok(())
        };
        let ended = catch_unwind(AssertUnwindSafe(|| ahead(items, collect)));
        let message = ended.unwrap_err().downcast::<String>().unwrap();
        assert_eq!((*message, seen), ("item 6".to_string(), vec![0, 1, 2, 3, 4, 5]));
        // One that nobody asked for is not lost either.
        let items = (0..10).map(|i| if i == 2 { panic!("item {i}") } else { i });
        let slow = |items: &mut Ahead<'_, i32>| {
            std::thread::sleep(Duration::from_millis(50));
            Ok(items.next())
        };
        assert!(catch_unwind(AssertUnwindSafe(|| ahead(items, slow))).is_err());
    }
}
