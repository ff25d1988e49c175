//! The keys of the terminal, each as it is pressed. Without a terminal, or in the background, none is read.

use tokio::sync::mpsc::UnboundedReceiver;

/// A key that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Again,
    Quit,
}

/// The keys. When this is dropped, the terminal is as it was before.
pub(crate) struct Keys {
    pressed: Option<UnboundedReceiver<u8>>,
    #[cfg(unix)]
    _mode: Option<mode::Mode>,
}

impl Keys {
    /// Reads the keys of standard input if that is a terminal.
    #[cfg(unix)]
    pub(crate) fn of_terminal() -> Self {
        let mode = mode::Mode::set();
        Self {
            pressed: mode.is_some().then(mode::read),
            _mode: mode,
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn of_terminal() -> Self {
        Self { pressed: None }
    }

    /// Whether keys are read.
    pub(crate) fn are_read(&self) -> bool {
        self.pressed.is_some()
    }

    /// The next key that means something.
    pub(crate) async fn next(&mut self) -> Key {
        while let Some(pressed) = &mut self.pressed {
            let Some(byte) = pressed.recv().await else {
                // The terminal is gone.
                self.pressed = None;
                break;
            };
            if let Some(key) = key(byte) {
                return key;
            }
        }
        std::future::pending().await
    }
}

fn key(byte: u8) -> Option<Key> {
    match byte.to_ascii_lowercase() {
        b'r' => Some(Key::Again),
        b'q' => Some(Key::Quit),
        _ => None,
    }
}

#[cfg(unix)]
mod mode {
    use rustix::process::getpgrp;
    use rustix::termios::{
        LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
    };
    use std::io::{self, IsTerminal, Read};
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    /// The terminal of standard input, which hands out each key at once and does not show it. Ctrl-C stays a
    /// signal, and lines that are written stay lines.
    pub(super) struct Mode {
        before: Termios,
    }

    impl Mode {
        pub(super) fn set() -> Option<Self> {
            let stdin = io::stdin();
            // A process in the background would be stopped by the terminal.
            if !stdin.is_terminal() || tcgetpgrp(&stdin).ok()? != getpgrp() {
                return None;
            }
            let before = tcgetattr(&stdin).ok()?;
            let mut by_key = before.clone();
            by_key.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
            by_key.special_codes[SpecialCodeIndex::VMIN] = 1;
            by_key.special_codes[SpecialCodeIndex::VTIME] = 0;
            tcsetattr(&stdin, OptionalActions::Now, &by_key).ok()?;
            Some(Self { before })
        }
    }

    impl Drop for Mode {
        fn drop(&mut self) {
            // A terminal that is gone needs nothing.
            tcsetattr(io::stdin(), OptionalActions::Now, &self.before).ok();
        }
    }

    /// The bytes of standard input, read by a thread that ends with the process.
    pub(super) fn read() -> UnboundedReceiver<u8> {
        let (sender, receiver) = unbounded_channel();
        std::thread::spawn(move || {
            let mut byte = [0];
            while matches!(io::stdin().read(&mut byte), Ok(1)) && sender.send(byte[0]).is_ok() {}
        });
        receiver
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_keys_mean_something() {
        for (byte, expected) in [
            (b'r', Some(Key::Again)),
            (b'R', Some(Key::Again)),
            (b'q', Some(Key::Quit)),
            (b'\n', None),
            (b'x', None),
        ] {
            assert_eq!(key(byte), expected);
        }
    }
}
