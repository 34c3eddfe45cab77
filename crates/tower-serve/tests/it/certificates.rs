//! Certificates and keys, and the errors of their files.

use std::{fs, path::Path};

use rcgen::KeyPair;
use tower_serve::{Tls, TlsError, TlsErrorKind};

use super::secure::{Store, pem};

#[test]
fn serve_36_an_error_names_the_file_and_what_was_expected() {
    use TlsErrorKind as Kind;

    let store = Store::new("errors");
    store.make("a", &["a.example"]);
    store.make("b", &["b.example"]);
    fs::write(store.path("text"), "hello\n").unwrap();
    fs::write(store.path("cut"), "-----BEGIN CERTIFICATE-----\nMIIB\n").unwrap();
    fs::write(
        store.path("malformed"),
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    fs::write(
        store.path("encrypted"),
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n",
    )
    .unwrap();
    fs::write(
        store.path("small"),
        "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----\n",
    )
    .unwrap();
    let certificate = "(expected PEM: `-----BEGIN CERTIFICATE-----`)";
    let key = "(expected PEM without a password: `-----BEGIN PRIVATE KEY-----`)";
    let table = [
        ("gone", "a.key", Kind::Read, "gone", String::new()),
        ("a.pem", "gone", Kind::Read, "gone", String::new()),
        (
            "text",
            "a.key",
            Kind::NoCertificate,
            "text",
            format!("has no certificate {certificate}"),
        ),
        (
            "a.key",
            "a.pem",
            Kind::NoCertificate,
            "a.key",
            format!("has a key and no certificate {certificate}"),
        ),
        (
            "cut",
            "a.key",
            Kind::InvalidPem,
            "cut",
            format!("is not valid PEM {certificate}"),
        ),
        (
            "malformed",
            "a.key",
            Kind::InvalidCertificate,
            "malformed",
            "begins with a certificate that is malformed (expected the server's own certificate \
             first, of X.509 version 3)"
                .to_owned(),
        ),
        (
            "a.pem",
            "text",
            Kind::NoKey,
            "text",
            format!("has no key {key}"),
        ),
        (
            "a.pem",
            "a.pem",
            Kind::NoKey,
            "a.pem",
            format!("has a certificate and no key {key}"),
        ),
        (
            "a.pem",
            "encrypted",
            Kind::NoKey,
            "encrypted",
            format!("has a key that is encrypted {key}"),
        ),
        (
            "a.pem",
            "small",
            Kind::InvalidKey,
            "small",
            "has a key that cannot be used (expected an RSA key of 2048 to 8192 bits, ECDSA on \
             P-256 or P-384, or Ed25519)"
                .to_owned(),
        ),
        (
            "a.pem",
            "b.key",
            Kind::KeyMismatch,
            "b.key",
            format!(
                "is not the key of the certificate in `{}` (expected the key with which the \
                 certificate was requested)",
                store.path("a.pem").display()
            ),
        ),
    ];
    for (chain, key, kind, file, text) in table {
        let error = Tls::new(store.path(chain), store.path(key)).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        let path = store.path(file);
        assert_eq!(error.path(), Some(Path::new(&path)));
        let expected = match kind {
            Kind::Read => format!("cannot read `{}`", path.display()),
            _ => format!("`{}` {text}", path.display()),
        };
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn serve_36_errors_of_reading_have_the_systems_reason() {
    let error: TlsError = Tls::new("/nowhere/a.pem", "/nowhere/a.key").unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.to_string().starts_with("No such file"), "{source}");
}

#[test]
fn serve_36_keys_of_every_form_are_read() {
    let store = Store::new("forms");
    for algorithm in [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ED25519,
    ] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let params = rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        // What is around the sections is a comment.
        let text = format!("a comment\n{}", pem("CERTIFICATE", certificate.der()));
        fs::write(store.path("a.pem"), text).unwrap();
        fs::write(
            store.path("a.key"),
            pem("PRIVATE KEY", &key.serialize_der()),
        )
        .unwrap();
        store.tls("a");
    }
}
