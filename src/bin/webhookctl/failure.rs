//! What the operator is told where the library's own words are meant for a log.

use crate::output::explain;
use webhook_gateway::delivery::circuit::CircuitError;
use webhook_gateway::delivery::history::HistoryError;
use webhook_gateway::endpoints::EndpointError;
use webhook_gateway::journal::JournalError;
use webhook_gateway::ledger::{LedgerError, ReadError, ReleaseError, ScanError};
use webhook_gateway::payloads::PayloadError;
use webhook_gateway::queues::SendError;
use webhook_gateway::seal::SealError;
use webhook_gateway::subscriptions::SubscriptionError;

/// Why endpoints were not read or not changed.
pub(crate) fn endpoint(error: EndpointError) -> String {
    use EndpointError::{Changed, Delete, Form, Incomplete, Put, Query, Read, Throttled, Transact};
    let unreadable = |why| format!("the endpoints cannot be read: {why}");
    let unwritten = |why| format!("the endpoint was not written: {why}");
    match error {
        Query(error) => unreadable(explain(&error)),
        Read(error) => unreadable(explain(&error)),
        Put(error) => unwritten(explain(&error)),
        Transact(error) => unwritten(explain(&error)),
        Delete(error) => format!("the endpoint was not removed: {}", explain(&error)),
        Throttled | Changed(_) | Form(_) | Incomplete(_) => error.to_string(),
    }
}

/// Why a circuit was not written.
pub(crate) fn circuit(CircuitError(error): CircuitError) -> String {
    format!("the circuit was not written: {}", explain(&error))
}

/// Why a secret was not sealed or not opened.
pub(crate) fn seal(error: SealError) -> String {
    match error {
        SealError::Encrypt(error) => format!("the secret was not encrypted: {}", explain(&error)),
        SealError::Decrypt(error) => format!("the secret cannot be decrypted: {}", explain(&error)),
        SealError::Unusable => error.to_string(),
    }
}

/// Why deliveries were not read or not written.
pub(crate) fn history(error: HistoryError) -> String {
    use HistoryError::{Form, Put, Query, Read, Throttled, Write};
    let unreadable = |why| format!("the deliveries cannot be read: {why}");
    let unwritten = |why| format!("the deliveries were not written: {why}");
    match error {
        Query(error) => unreadable(explain(&error)),
        Read(error) => unreadable(explain(&error)),
        Write(error) => unwritten(explain(&error)),
        Put(error) => unwritten(explain(&error)),
        Throttled | Form(_) => error.to_string(),
    }
}

/// Why the ledger was not read.
pub(crate) fn ledger(error: ReadError) -> String {
    match error {
        ReadError::Read(error) => format!("the ledger cannot be read: {}", explain(&error)),
        error => error.to_string(),
    }
}

/// Why a webhook was not recorded.
pub(crate) fn unrecorded(error: LedgerError) -> String {
    match error {
        LedgerError::NotWritable(error) => {
            format!("the ledger is not writable: {}", explain(&error))
        }
        error => error.to_string(),
    }
}

/// Why a webhook was not released.
pub(crate) fn unreleased(error: ReleaseError) -> String {
    match error {
        ReleaseError::Update(error) => format!("the ledger is not writable: {}", explain(&error)),
        ReleaseError::Record(error) => unrecorded(error),
    }
}

/// Why the ledger was not read as a whole, or not changed.
pub(crate) fn scan(error: ScanError) -> String {
    match error {
        ScanError::Scan(error) => format!("the ledger cannot be read: {}", explain(&error)),
        ScanError::Update(error) => {
            format!("the event is not published again: {}", explain(&error))
        }
    }
}

/// Why a payload was not read or not stored.
pub(crate) fn payload(error: PayloadError) -> String {
    match error {
        PayloadError::Get(error) => format!("the payload was not read: {}", explain(&error)),
        PayloadError::Put(error) => format!("the payload was not stored: {}", explain(&error)),
        error => error.to_string(),
    }
}

/// Why the journal was not read or not written.
pub(crate) fn journal(error: JournalError) -> String {
    use JournalError::{Delete, Encode, Get, Put, Query, Update};
    let unwritten = |why| format!("the journal was not written: {why}");
    match error {
        Query(error) => format!("the journal cannot be read: {}", explain(&error)),
        Get(error) => format!("the journal cannot be read: {}", explain(&error)),
        Delete(error) => unwritten(explain(&error)),
        Put(error) => unwritten(explain(&error)),
        Update(error) => unwritten(explain(&error)),
        Encode(_) => error.to_string(),
    }
}

/// Why the subscriptions were not read.
pub(crate) fn subscription(error: SubscriptionError) -> String {
    match error {
        SubscriptionError::Read(error) => {
            format!("the subscriptions cannot be read: {}", explain(&error))
        }
        error => error.to_string(),
    }
}

/// Why a message was not sent.
pub(crate) fn queue(error: SendError) -> String {
    match error {
        SendError::NotSent(error) => format!("the message was not sent: {}", explain(&error)),
        error => error.to_string(),
    }
}
