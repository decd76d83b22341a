// SPDX-License-Identifier: MIT OR Apache-2.0

//! The SBOM names what packages are made of, and nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use ax650_release::graph::Graph;
use ax650_release::policy::Policy;
use ax650_release::sbom;
use serde_json::Value;

fn document() -> Value {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let policy = Policy::of(&tree).unwrap();
    let graph = Graph::of(&tree, policy.targets()).unwrap();
    let lock = std::fs::read_to_string(tree.join("Cargo.lock")).unwrap();
    sbom::document(&graph, &lock, "1.2.3").unwrap()
}

#[test]
fn names_what_packages_are_made_of() {
    let document = document();
    let components = document["components"].as_array().unwrap();
    let names: BTreeSet<&str> = components
        .iter()
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    for there in [
        "ax650",
        "ax650.ko",
        "ax650-firmware",
        "ax650-emu-media",
        "libc",
        "prost-derive",
    ] {
        assert!(names.contains(there), "{there}");
    }
    // Of tests only, and of other systems.
    for not_there in [
        "ax650-rig",
        "proptest",
        "prost-build",
        "clap_mangen",
        "windows-sys",
    ] {
        assert!(!names.contains(not_there), "{not_there}");
    }
}

#[test]
fn every_crate_has_licence_and_checksum_and_is_referred_to() {
    let document = document();
    let mut references = BTreeSet::new();
    for component in document["components"].as_array().unwrap() {
        let name = component["name"].as_str().unwrap();
        assert!(component["licenses"][0].is_object(), "{name}");
        assert!(
            references.insert(component["bom-ref"].as_str().unwrap()),
            "{name} twice"
        );
        if !name.starts_with("ax650") {
            let sum = component["hashes"][0]["content"].as_str().unwrap();
            assert_eq!(sum.len(), 64, "{name}");
        }
    }
    for entry in document["dependencies"].as_array().unwrap() {
        for on in entry["dependsOn"].as_array().unwrap() {
            assert!(references.contains(on.as_str().unwrap()), "{on}");
        }
    }
}

#[test]
fn is_the_same_every_time() {
    assert_eq!(document().to_string(), document().to_string());
}
