//! That the tool finds its stack here.

use crate::support::aws::Aws;
use crate::support::operator::Operator;

#[tokio::test]
async fn the_tool_takes_the_aws_of_a_test_for_the_local_stack() {
    let aws = Aws::start().await;
    let operator = Operator::of(&aws).await;
    let sources = operator.run(&["source", "list"]).await.json();
    assert_eq!(sources[0]["name"], "studio");
}
