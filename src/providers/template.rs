//! The text that a provider signs, as a template: `v0:{timestamp}:{body}`. It is parsed once, and its
//! pieces are fed to the digest one after the other. The body is not copied.

use super::form::{Form, TooManyFields};
use super::verify::VerifyError;
use crate::crypto::mac::Sink;
use http::{HeaderMap, HeaderName, HeaderValue};

/// A template of signed bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTemplate(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Body,
    Timestamp,
    Header(HeaderName),
    Method,
    Url,
    Form,
    Secret,
}

/// A piece of a template, of any kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// Text that stays.
    Literal(&'t str),
    /// What stands between braces.
    Placeholder(&'t str),
}

/// Why a text is no template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is empty.
    #[error("it must not be empty")]
    Empty,
    /// A brace has no counterpart.
    #[error("a brace has no counterpart: write each placeholder as {{name}}")]
    Brace,
    /// There is no such placeholder in signed text.
    #[error(
        "it has an unknown placeholder: use {{body}}, {{timestamp}}, {{header:NAME}}, {{method}}, {{url}}, \
         {{form}} or {{secret}}"
    )]
    Placeholder,
    /// There is no such placeholder in an event field.
    #[error(
        "it has an unknown placeholder: use {{header:NAME}}, {{$.path}} or {{form:FIELD}}, for example \
         {{$.data.items[0].id}}"
    )]
    Reference,
    /// Without it, the field would be empty, or have no more than a literal.
    #[error("its first placeholder must not be optional: remove the question mark")]
    Optional,
}

/// What the placeholders of one request stand for.
pub(super) struct Values<'r> {
    pub(super) body: &'r [u8],
    pub(super) method: &'r str,
    pub(super) url: &'r str,
    pub(super) headers: &'r HeaderMap,
    pub(super) timestamp: Option<(&'r HeaderName, &'r [u8])>,
    form: Option<String>,
}

/// The pieces of a template in their order. No literal is empty, and no two stand side by side.
pub(super) fn tokens(template: &str) -> Result<Vec<Token<'_>>, TemplateError> {
    let mut tokens = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        let (literal, placeholder) = rest.split_once('{').unwrap_or((rest, ""));
        if literal.contains('}') {
            return Err(TemplateError::Brace);
        }
        if !literal.is_empty() {
            tokens.push(Token::Literal(literal));
        }
        if literal.len() == rest.len() {
            break;
        }
        let (name, after) = placeholder.split_once('}').ok_or(TemplateError::Brace)?;
        if name.contains('{') {
            return Err(TemplateError::Brace);
        }
        tokens.push(Token::Placeholder(name));
        rest = after;
    }
    match tokens.is_empty() {
        true => Err(TemplateError::Empty),
        false => Ok(tokens),
    }
}

impl SignedTemplate {
    /// The template of a body that is signed as it is.
    pub(super) fn body() -> Self {
        Self(vec![Piece::Body])
    }

    /// Reads a template.
    pub(super) fn parse(template: &str) -> Result<Self, TemplateError> {
        let piece = |token| {
            let name = match token {
                Token::Literal(text) => return Ok(Piece::Literal(text.to_owned())),
                Token::Placeholder(name) => name,
            };
            Ok(match name {
                "body" => Piece::Body,
                "timestamp" => Piece::Timestamp,
                "method" => Piece::Method,
                "url" => Piece::Url,
                "form" => Piece::Form,
                "secret" => Piece::Secret,
                _ => Piece::Header(header(name).ok_or(TemplateError::Placeholder)?),
            })
        };
        let pieces: Result<_, TemplateError> = tokens(template)?.into_iter().map(piece).collect();
        pieces.map(Self)
    }

    fn has(&self, piece: &Piece) -> bool {
        self.0.contains(piece)
    }

    /// Whether it binds the content of a request.
    pub fn binds_body(&self) -> bool {
        self.has(&Piece::Body) || self.has(&Piece::Form)
    }

    /// Whether it has `{body}`.
    pub fn has_body(&self) -> bool {
        self.has(&Piece::Body)
    }

    /// Whether it has `{timestamp}`.
    pub fn has_timestamp(&self) -> bool {
        self.has(&Piece::Timestamp)
    }

    /// Whether it has `{url}`.
    pub fn has_url(&self) -> bool {
        self.has(&Piece::Url)
    }

    /// Whether it has `{form}`.
    pub fn has_form(&self) -> bool {
        self.has(&Piece::Form)
    }

    /// Whether it has `{secret}`.
    pub fn has_secret(&self) -> bool {
        self.has(&Piece::Secret)
    }

    /// The headers that it names.
    pub fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Header(name) => Some(name),
            _ => None,
        })
    }

    /// Whether it covers a header to the letter. Of two that stand side by side, the end of one could
    /// become the beginning of the other.
    pub fn covers(&self, header: &HeaderName) -> bool {
        let joins =
            |at: Option<usize>| at.and_then(|at| self.0.get(at)).is_some_and(is_of_a_header);
        self.0.iter().enumerate().any(|(at, piece)| {
            matches!(piece, Piece::Header(name) if name == header)
                && !joins(at.checked_sub(1))
                && !joins(at.checked_add(1))
        })
    }

    /// Whether two values of headers stand side by side.
    pub fn joins_headers(&self) -> bool {
        let mut pairs = self.0.windows(2);
        pairs.any(|pair| pair.iter().all(is_of_a_header))
    }

    /// Whether it begins with `{secret}`.
    pub fn begins_with_secret(&self) -> bool {
        self.0.first() == Some(&Piece::Secret)
    }

    /// The values of a request, if each header is there once and no join is ambiguous.
    ///
    /// A value with the literal that follows it could be cut elsewhere, and a signature would hold for
    /// another request too.
    pub(super) fn values<'r>(&self, mut values: Values<'r>) -> Result<Values<'r>, VerifyError> {
        for (at, piece) in self.0.iter().enumerate() {
            let (name, value) = match piece {
                Piece::Header(name) => (name, only_value(values.headers, name)?),
                Piece::Timestamp => match values.timestamp {
                    Some(timestamp) => timestamp,
                    None => continue,
                },
                _ => continue,
            };
            if let Some(Piece::Literal(literal)) = self.0.get(at + 1)
                && contains(value, literal.as_bytes())
            {
                return Err(VerifyError::Ambiguous(name.clone()));
            }
        }
        if self.has_form() {
            let form = Form::parse(values.body);
            let form = form.map_err(|TooManyFields| VerifyError::TooManyFields)?;
            values.form = Some(form.sorted());
        }
        Ok(values)
    }

    /// Gives the signed bytes piece by piece.
    pub(super) fn feed(&self, values: &Values<'_>, secret: &[u8], sink: Sink<'_>) {
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => sink(text.as_bytes()),
                Piece::Body => sink(values.body),
                Piece::Timestamp => sink(values.timestamp.map_or(&[], |(_, value)| value)),
                Piece::Header(name) => {
                    sink(values.headers.get(name).map_or(&[], HeaderValue::as_bytes));
                }
                Piece::Method => sink(values.method.as_bytes()),
                Piece::Url => sink(values.url.as_bytes()),
                Piece::Form => sink(values.form.as_deref().unwrap_or_default().as_bytes()),
                Piece::Secret => sink(secret),
            }
        }
    }
}

impl<'r> Values<'r> {
    /// The values of a request, of which [`SignedTemplate::values`] makes usable ones.
    pub(super) fn of(
        incoming: &super::Incoming<'r>,
        url: &'r str,
        timestamp: Option<(&'r HeaderName, &'r [u8])>,
    ) -> Self {
        Self {
            body: incoming.body,
            method: incoming.method,
            url,
            headers: incoming.headers,
            timestamp,
            form: None,
        }
    }
}

fn is_of_a_header(piece: &Piece) -> bool {
    matches!(piece, Piece::Header(_) | Piece::Timestamp)
}

/// The header that `header:NAME` names.
pub(super) fn header(placeholder: &str) -> Option<HeaderName> {
    HeaderName::from_bytes(placeholder.strip_prefix("header:")?.as_bytes()).ok()
}

/// The value of a header that was sent once and is not empty.
pub(super) fn only_value<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<&'h [u8], VerifyError> {
    let mut values = headers.get_all(name).iter();
    let value = values
        .next()
        .ok_or_else(|| VerifyError::Missing(name.clone()))?;
    match values.next() {
        Some(_) => Err(VerifyError::Repeated(name.clone())),
        None if value.is_empty() => Err(VerifyError::Malformed(name.clone())),
        None => Ok(value.as_bytes()),
    }
}

fn contains(value: &[u8], literal: &[u8]) -> bool {
    value.windows(literal.len()).any(|window| window == literal)
}
