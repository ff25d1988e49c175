//! The CPU time of a function.

use crate::function::Function;
use std::time::Duration;

/// The kernel counts CPU time in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// The CPU time of the process so far, in user and in system mode: see proc(5).
pub fn cpu(function: &Function) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", function.id())).unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<u32>().unwrap();
    TICK * (ticks(11) + ticks(12))
}
