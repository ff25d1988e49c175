//! The presets: the recipes of known providers, and what to tell about them. Each is a JSON file in
//! `presets/`, and is read when a source or the tool names it.

use serde::Deserialize;
use serde_json::{Map, Value};

/// The members of a preset beside its recipe.
const ABOUT: [&str; 6] = [
    "name",
    "title",
    "evidence",
    "documentation",
    "setup",
    "facts",
];

/// The files by the names of their presets, in alphabetical order.
const FILES: &[(&str, &str)] = &[
    ("acrobat-sign", include_str!("presets/acrobat-sign.json")),
    (
        "adyen-platform",
        include_str!("presets/adyen-platform.json"),
    ),
    ("airtable", include_str!("presets/airtable.json")),
    ("akeneo", include_str!("presets/akeneo.json")),
    ("akeneo-events", include_str!("presets/akeneo-events.json")),
    ("asana", include_str!("presets/asana.json")),
    ("ashby", include_str!("presets/ashby.json")),
    ("bamboohr", include_str!("presets/bamboohr.json")),
    ("bitbucket", include_str!("presets/bitbucket.json")),
    ("box", include_str!("presets/box.json")),
    ("cloudinary", include_str!("presets/cloudinary.json")),
    ("contentful", include_str!("presets/contentful.json")),
    ("contentstack", include_str!("presets/contentstack.json")),
    ("creads", include_str!("presets/creads.json")),
    (
        "creative-force",
        include_str!("presets/creative-force.json"),
    ),
    ("docusign", include_str!("presets/docusign.json")),
    ("dropbox", include_str!("presets/dropbox.json")),
    ("frame-io", include_str!("presets/frame-io.json")),
    ("frontify", include_str!("presets/frontify.json")),
    ("github", include_str!("presets/github.json")),
    ("gitlab", include_str!("presets/gitlab.json")),
    ("greenhouse", include_str!("presets/greenhouse.json")),
    ("hibob", include_str!("presets/hibob.json")),
    ("hubspot", include_str!("presets/hubspot.json")),
    ("intercom", include_str!("presets/intercom.json")),
    ("jira", include_str!("presets/jira.json")),
    ("lemon-squeezy", include_str!("presets/lemon-squeezy.json")),
    ("linear", include_str!("presets/linear.json")),
    ("meta", include_str!("presets/meta.json")),
    (
        "microsoft-graph",
        include_str!("presets/microsoft-graph.json"),
    ),
    ("notion", include_str!("presets/notion.json")),
    ("okta", include_str!("presets/okta.json")),
    ("paddle", include_str!("presets/paddle.json")),
    ("people-force", include_str!("presets/people-force.json")),
    ("sanity", include_str!("presets/sanity.json")),
    ("sendgrid", include_str!("presets/sendgrid.json")),
    ("shopify", include_str!("presets/shopify.json")),
    ("slack", include_str!("presets/slack.json")),
    ("square", include_str!("presets/square.json")),
    (
        "standard-webhooks",
        include_str!("presets/standard-webhooks.json"),
    ),
    ("stripe", include_str!("presets/stripe.json")),
    ("svix", include_str!("presets/svix.json")),
    ("twilio", include_str!("presets/twilio.json")),
    ("typeform", include_str!("presets/typeform.json")),
    ("woocommerce", include_str!("presets/woocommerce.json")),
    ("woodwing", include_str!("presets/woodwing.json")),
    ("xero", include_str!("presets/xero.json")),
    ("zendesk", include_str!("presets/zendesk.json")),
    ("zoom", include_str!("presets/zoom.json")),
];

/// A preset.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    name: &'static str,
    json: &'static str,
}

/// What a preset tells beside its recipe.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct About {
    /// The provider's name, as it writes it.
    pub title: String,
    /// How sure the recipe is.
    pub evidence: Evidence,
    /// The URL of the provider's page about signatures.
    pub documentation: String,
    /// What to enter where in the provider's settings. `{payload_url}` stands for the Payload URL.
    pub setup: Vec<String>,
    /// What else is known.
    #[serde(default)]
    pub facts: Facts,
}

/// How sure a recipe is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// The provider publishes a signed example, and it verifies.
    PublishedVector,
    /// The provider documents it.
    OfficialDocument,
    /// Others say so.
    ThirdParty,
}

/// How a provider sends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// How long it waits for an answer.
    pub timeout: Option<String>,
    /// How often it sends again.
    pub retries: Option<String>,
    /// Further sentences.
    #[serde(default)]
    pub notes: Vec<String>,
}

impl Evidence {
    /// The name in the preset.
    pub fn name(self) -> &'static str {
        match self {
            Self::PublishedVector => "published-vector",
            Self::OfficialDocument => "official-document",
            Self::ThirdParty => "third-party",
        }
    }
}

/// The preset of this name, if there is one.
pub fn find(name: &str) -> Option<Preset> {
    all().find(|preset| preset.name == name)
}

/// All presets, in alphabetical order.
pub fn all() -> impl Iterator<Item = Preset> {
    FILES.iter().map(|(name, json)| Preset { name, json })
}

impl Preset {
    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Its file.
    pub fn json(self) -> &'static str {
        self.json
    }

    /// What it tells beside its recipe. A test reads it of each preset; `None` never happens.
    pub fn about(self) -> Option<About> {
        serde_json::from_str(self.json).ok()
    }

    /// The fields of its recipe.
    pub(super) fn recipe_fields(self) -> Map<String, Value> {
        let fields = serde_json::from_str(self.json);
        let mut fields: Map<String, Value> = fields.unwrap_or_default();
        fields.retain(|name, _| !ABOUT.contains(&name.as_str()));
        fields
    }
}
