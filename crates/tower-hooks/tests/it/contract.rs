//! The contract of tower and http-body.

use std::ops::ControlFlow;

use http::{request, response};
use tower::Layer;
use tower_hooks::{BoxHook, HookList, HooksLayer};
use tower_lint::contract;

use crate::scripted::{Log, Scripted};

#[test]
fn hooks_12_without_hooks_the_contract_is_kept() {
    contract::check(|inner| HooksLayer::new().layer(inner)).assert_kept();
    contract::check(|inner| HooksLayer::list(HookList::new()).layer(inner)).assert_kept();
}

#[test]
fn hooks_12_with_hooks_the_contract_is_kept() {
    let hook = || Scripted::passing(&Log::default());
    contract::check(|inner| HooksLayer::new().hook(hook()).layer(inner)).assert_kept();
    contract::check(|inner| HooksLayer::new().hook(hook()).hook(hook()).layer(inner)).assert_kept();
    let list = || HookList::from_iter([BoxHook::new(hook()), BoxHook::new(hook())]);
    contract::check(|inner| HooksLayer::list(list()).layer(inner)).assert_kept();
}

#[test]
fn hooks_12_with_functions_the_contract_is_kept() {
    let before = |_: &mut request::Parts| ControlFlow::Continue(());
    let after = |_: &mut response::Parts| {};
    let hook = || Scripted::passing(&Log::default());
    contract::check(|inner| HooksLayer::new().before(before).layer(inner)).assert_kept();
    contract::check(|inner| HooksLayer::new().before(before).after(after).layer(inner))
        .assert_kept();
    let mixed = || HooksLayer::new().before(before).hook(hook()).before(before);
    contract::check(|inner| mixed().after(after).layer(inner)).assert_kept();
}
