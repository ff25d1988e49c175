//! The names of the providers, and what is an identifier.

use crate::providers::*;

#[test]
fn a_provider_is_known_by_its_name_only() {
    for provider in Provider::ALL {
        assert_eq!(provider.name().parse(), Ok(provider));
    }
    for name in ["", "Creads", "creativeforce", "woodwing "] {
        assert_eq!(
            name.parse::<Provider>(),
            Err(UnknownProvider(name.to_owned()))
        );
    }
}

#[test]
fn code_reads_four_providers_and_what_was_recorded_tells_of_all_others() {
    for provider in Provider::ALL {
        assert_eq!(code_of(provider.name()), Ok(Some(provider)));
    }
    for name in ["custom", "github", "zoom"] {
        assert_eq!(code_of(name), Ok(None));
    }
    assert_eq!(code_of("nobody"), Err(UnknownProvider("nobody".to_owned())));
}

#[test]
fn a_body_is_not_printed() {
    let webhook = Verified::without_signature(b"hunter2");
    assert_eq!(format!("{webhook:?}"), "Verified(7 bytes)");
}

#[test]
fn an_identifier_that_names_nothing_is_none() {
    let long = "x".repeat(MAX_NAME_BYTES + 1);
    let zeros = "00000000-0000-0000-0000-000000000000";
    for none in [
        "",
        " ",
        "a\nb",
        "a\u{7f}",
        "\u{ffff}",
        "\u{1fffe}",
        "\u{fdd0}",
        zeros,
        &long,
    ] {
        assert_eq!(identifier(none.into()), None, "{none:?}");
    }
    assert_eq!(identifier("a b".into()).unwrap(), "a b");
    assert!(identifier(long[1..].into()).is_some());
}

#[test]
fn the_id_of_a_delivery_is_kept_or_hashed_or_none() {
    for none in ["", "\t", "a\0", "{00000000-0000-0000-0000-000000000000}"] {
        assert_eq!(delivery_id(none.into()), None, "{none:?}");
    }
    let longest = "x".repeat(512);
    assert_eq!(delivery_id(longest.as_str().into()).unwrap(), longest);
    let hashed = delivery_id("x".repeat(513).into()).unwrap();
    // printf 'x%.0s' $(seq 513) | sha256sum
    assert_eq!(
        hashed,
        "sha256:35ade0090e64e74d6ad04204009c23a4e34b82bdf0f4f317fbcc5f26f9b10241"
    );
}

#[test]
fn words_are_found_in_any_spelling() {
    for (name, expected) in [
        ("StatusChanged", "status changed"),
        ("Checked-in", "checked in"),
        ("CHECKED_IN", "checked in"),
        ("ProductURLChanged", "product url changed"),
        ("work unit", "work unit"),
        ("Step2Done", "step2 done"),
        (
            "SettingMigrateColorReference(Ecomm)",
            "setting migrate color reference ecomm",
        ),
        ("ÉtéFini", "été fini"),
        ("--", ""),
        ("", ""),
    ] {
        assert_eq!(words(name).join(" "), expected, "{name}");
    }
    let long = "Ab".repeat(MAX_SPELLED_BYTES / 2);
    assert_eq!(words(&long).len(), MAX_SPELLED_BYTES / 2);
    assert_eq!(words(&format!("{long}A")), Vec::<String>::new());
}
