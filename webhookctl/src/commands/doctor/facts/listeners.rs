//! The subscriptions of listeners.

use super::{Fact, read};
use crate::Result;
use crate::stack::Stack;
use webhook_gateway::store::subscriptions::Subscription;

pub(crate) async fn listeners(stack: &Stack) -> Fact<Vec<Subscription>> {
    let needs = "dynamodb:Query on the endpoints table";
    read("subscriptions", needs, all(stack).await)
}

async fn all(stack: &Stack) -> Result<Vec<Subscription>> {
    let listed = stack.subscriptions()?.list().await?.into_iter();
    let readable = listed.filter_map(std::result::Result::ok);
    Ok(readable.filter(Subscription::is_of_listener).collect())
}
