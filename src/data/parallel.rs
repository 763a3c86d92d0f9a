//! Independent pieces of work on all cores, with results that do not depend on time.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{available_parallelism, scope};

/// `work(0)`, `work(1)`, … up to `count`, each on whatever thread is free.
pub fn parallel<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = available_parallelism().map_or(1, NonZero::get).min(count);
    if threads < 2 {
        return (0..count).map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let some = || {
        let mine = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed)).take_while(|i| *i < count);
        mine.map(|i| (i, work(i))).collect::<Vec<_>>()
    };
    let mut done = scope(|scope| {
        // A machine that gives no further thread leaves all the work to this one.
        let start = |_| std::thread::Builder::new().name("mtlc-data".into()).spawn_scoped(scope, some).ok();
        let others: Vec<_> = (1..threads).filter_map(start).collect();
        let mut done = some();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::parallel;

    #[test]
    fn results_come_in_the_order_of_the_work() {
        for count in [0, 1, 2, 100] {
            assert_eq!(parallel(count, |i| i * i), (0..count).map(|i| i * i).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_panic_is_passed_on() {
        let one = std::panic::catch_unwind(|| parallel(9, |i| assert_ne!(i, 3, "the third")));
        assert!(one.unwrap_err().downcast::<String>().unwrap().contains("the third"));
    }
}
