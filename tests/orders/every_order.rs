//! Properties that hold in every order of the layers.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{
    requests::{AUTHORITY, Came, Order, REQUESTS, Who, ask},
    stack::{Kind, Layers, MOUNTED_AT, UNMOUNTED, permutations},
};
use http::Method;

/// Names the order and the request.
fn in_order(order: &[Kind], request: &str, check: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(check)) {
        eprintln!("that was {request} in the order {order:?}");
        std::panic::resume_unwind(panic);
    }
}

async fn all_requests(orders: &[Vec<Kind>]) {
    let layers = Layers::new();
    for order in orders {
        let stack = layers.stack(order);
        for (method, path, who, what) in REQUESTS {
            let came = ask(&stack, &method, path).await;
            let notes = layers.told.take();
            in_order(order, &format!("{method} {path}"), || {
                Order(order).check(AUTHORITY, path, (who, what), &came, &notes);
            });
        }
    }
}

/// All orders in which the origin is outside of the environ, because both only add to the request.
/// The orders with a mount, below, have both.
fn orders() -> Vec<Vec<Kind>> {
    let mut orders = permutations(&UNMOUNTED);
    orders.retain(|order| Order(order).outside(Kind::Origin, Kind::Environ));
    assert_eq!(orders.len(), 5040 / 2);
    orders
}

// Two tests, for two cores.
#[tokio::test]
async fn a_layer_matters_to_inner_responses_alone_first_half() {
    all_requests(&orders()[..1260]).await;
}

#[tokio::test]
async fn a_layer_matters_to_inner_responses_alone_second_half() {
    all_requests(&orders()[1260..]).await;
}

#[tokio::test]
async fn a_stack_without_a_layer_responds_as_if_it_did_not_matter() {
    for left_out in UNMOUNTED {
        // Without these two there is no response.
        if matches!(left_out, Kind::Cascade | Kind::Dispatch) {
            continue;
        }
        let order: Vec<_> = UNMOUNTED.into_iter().filter(|k| *k != left_out).collect();
        all_requests(&[order]).await;
    }
}

/// SCRIPT_NAME and PATH_INFO are the raw path, and the URL is the client's, wherever the mount is.
/// Services outside of a mount respond for the whole path, and services inside of it for the rest.
#[tokio::test]
async fn a_mount_shares_the_path_out_wherever_it_stands() {
    let layers = Layers::new();
    let paths = [
        ("/text", Who::Rest),
        ("/file", Who::Files),
        ("/hello/you", Who::Endpoint),
    ];
    let with_mount = [
        Kind::Origin,
        Kind::Mount,
        Kind::Environ,
        Kind::Prefix,
        Kind::Cascade,
        Kind::Dispatch,
    ];
    for order in permutations(&with_mount) {
        let stack = layers.stack(&order);
        for ((path, who), script_name) in paths.iter().flat_map(|p| [(*p, MOUNTED_AT), (*p, "")]) {
            let came = ask(&stack, &Method::GET, &format!("{script_name}{path}")).await;
            let notes = layers.told.take();
            let order = &order;
            in_order(order, &format!("{script_name}{path}"), || {
                assert!(notes.violations.is_empty(), "{:?}", notes.violations);
                let Came::Response(came) = &came else {
                    panic!("{came:?}")
                };
                let inside = Order(order).around(Kind::Mount, who);
                if inside == script_name.is_empty() {
                    return assert_eq!(came.status, 404);
                }
                assert_eq!(came.status, 200);
                let seen = Order(order).seen(who, AUTHORITY, script_name, path);
                assert_eq!(came.body, seen);
            });
        }
    }
}
