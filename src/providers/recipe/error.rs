//! Why a JSON object is no recipe.

use crate::providers::template::TemplateError;

/// A field of a recipe is not as it should be. The text names the field and says what to do, and shows no
/// value: that may be a secret in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct RecipeError {
    /// The field, such as `event.type`.
    pub field: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a field of a recipe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A recipe has no such field.
    #[error("there is no such field: correct its name, or remove it")]
    Unknown,
    /// Something else cannot be without it.
    #[error("it is missing: {because}")]
    Missing {
        /// What needs it.
        because: &'static str,
    },
    /// Its value is not one that it may have.
    #[error("it must be {expected}")]
    Invalid {
        /// All that it may be.
        expected: &'static str,
    },
    /// It and something else exclude each other.
    #[error("{because}: remove it, or set it to null if a preset has it")]
    Contradiction {
        /// Why both cannot be.
        because: &'static str,
    },
    /// Its template cannot be read.
    #[error("{0}")]
    Template(#[from] TemplateError),
}

/// Why a configured text is no secret of a recipe. It shows nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Nothing is left of it: such a key verifies nothing.
    #[error("a secret is empty, or has nothing but a prefix: enter it again")]
    Empty,
    /// The recipe decodes it, and it cannot be decoded.
    #[error(
        "a secret is not Base64, as secret_encoding says: copy all of it, or set secret_encoding to raw"
    )]
    NotBase64,
    /// The recipe decodes it, and it cannot be decoded.
    #[error(
        "a secret is not hexadecimal, as secret_encoding says: copy all of it, or set secret_encoding to raw"
    )]
    NotHex,
    /// The recipe needs a public key.
    #[error(
        "a secret is not a public key of the algorithm: enter the provider's key in Base64 or PEM"
    )]
    NotAPublicKey,
    /// The recipe needs a user and a password.
    #[error("a secret is not of the form user:password")]
    NoPassword,
    /// Whoever knows the verify token could sign with it.
    #[error(
        "a secret is the same as verify_token: a verify token is never a secret; choose another one"
    )]
    VerifyToken,
}

pub(super) fn unknown(field: &str) -> RecipeError {
    // As much of a stranger's text as is fit for a log.
    let field = field.chars().take(64).collect();
    RecipeError {
        field,
        problem: Problem::Unknown,
    }
}

pub(super) fn invalid(field: &str, expected: &'static str) -> RecipeError {
    RecipeError {
        field: field.to_owned(),
        problem: Problem::Invalid { expected },
    }
}

pub(super) fn missing(field: &str, because: &'static str) -> RecipeError {
    RecipeError {
        field: field.to_owned(),
        problem: Problem::Missing { because },
    }
}

pub(super) fn contradiction(field: &str, because: &'static str) -> RecipeError {
    RecipeError {
        field: field.to_owned(),
        problem: Problem::Contradiction { because },
    }
}
