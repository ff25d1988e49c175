//! Whether a queue can be subscribed: its URL, its region, its largest message and its key.

use crate::Result;
use crate::output::Output;
use crate::stack::Stack;
use aws_sdk_sqs::types::QueueAttributeName;
use reqwest::Url;
use webhook_gateway::aws::error::AwsError;
use webhook_gateway::aws::sqs::MAX_BYTES;
use webhook_gateway::store::sources::is_source_name;
use webhook_gateway::store::subscriptions::Subscription;

/// Rejects a subscription that can never work.
pub(crate) fn check(subscription: &Subscription, stack: &Stack) -> Result<()> {
    if !is_source_name(&subscription.name) {
        return Err("a subscription's name has 1 to 64 letters, digits, '-', '_' or '.'".into());
    }
    if subscription
        .events
        .iter()
        .any(|event| event.trim() != event || event.is_empty())
    {
        return Err(
            "an event pattern is a type such as io.peopleforce.*, without spaces at its ends"
                .into(),
        );
    }
    if let Some(source) = subscription
        .sources
        .iter()
        .find(|source| !is_source_name(source))
    {
        return Err(format!("{source:?} is not the name of a source").into());
    }
    match queue_problem(&subscription.queue_url, stack) {
        Some(problem) => Err(problem.into()),
        None => Ok(()),
    }
}

fn queue_problem(queue_url: &str, stack: &Stack) -> Option<String> {
    const EXAMPLE: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/search";
    if queue_url.ends_with(".fifo") {
        return Some(
            "a FIFO queue cannot be subscribed: events have no group and no order. Use a standard \
            queue, and detect duplicates by the id of an event"
                .to_owned(),
        );
    }
    let url = Url::parse(queue_url).ok();
    let path = url
        .as_ref()
        .map(|url| url.path().split('/').collect::<Vec<_>>());
    let names_a_queue = |path: &[&str]| match path {
        ["", account, queue] => !account.is_empty() && !queue.is_empty(),
        _ => false,
    };
    let schemes: &[&str] = if stack.is_local {
        &["https", "http"]
    } else {
        &["https"]
    };
    match (&url, path) {
        (Some(url), Some(path)) if names_a_queue(&path) && schemes.contains(&url.scheme()) => {}
        _ => {
            return Some(format!(
                "{queue_url:?} is not the URL of a queue, such as {EXAMPLE}"
            ));
        }
    }
    let region = url.as_ref().and_then(|url| region_of(url.host_str()?));
    let own = stack.aws.region().map(AsRef::as_ref);
    if let (Some(region), Some(own)) = (region, own)
        && region != own
    {
        return Some(format!(
            "the queue is in {region}, but the stack is in {own}: SQS takes messages only in the queue's \
                own region. Subscribe a queue in {own}"
        ));
    }
    let has_all = stack.events_queue().is_ok_and(|events| events == queue_url);
    has_all.then(|| "this is the stack's events queue, which gets every event anyway".to_owned())
}

/// The region in the name of a host of SQS; none for other hosts, such as the local AWS.
fn region_of(host: &str) -> Option<&str> {
    if host == "queue.amazonaws.com" {
        return Some("us-east-1"); // its name before there were other regions
    }
    let old = host.split_once(".queue.amazonaws.com");
    if let Some((region, "" | ".cn")) = old {
        return Some(region);
    }
    let is_of_aws = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"];
    if !is_of_aws.iter().any(|suffix| host.ends_with(suffix)) {
        return None;
    }
    let mut labels = host.split('.');
    labels.find(|label| matches!(*label, "sqs" | "sqs-fips"))?;
    labels.next()
}

/// Notes properties of the queue that make it refuse events, or that its attributes cannot be read.
pub(crate) async fn look_at(queue_url: &str, stack: &Stack, output: &Output) {
    let sqs = stack.sqs();
    let asked = sqs
        .get_queue_attributes()
        .queue_url(queue_url)
        .attribute_names(QueueAttributeName::MaximumMessageSize)
        .attribute_names(QueueAttributeName::KmsMasterKeyId)
        .send()
        .await;
    let attributes = match asked {
        Ok(answer) => answer.attributes.unwrap_or_default(),
        Err(error) => {
            let why = AwsError::from(error);
            return output.note(&format!(
                "the attributes of the queue cannot be read ({why}): make sure that its \
                    MaximumMessageSize is {MAX_BYTES}, and that ConsumerKeyArns lists its KMS key if it \
                    has one of your own"
            ));
        }
    };
    let size = attributes.get(&QueueAttributeName::MaximumMessageSize);
    if let Some(problem) = size.and_then(|size| size_problem(size)) {
        output.note(&problem);
    }
    let key = attributes.get(&QueueAttributeName::KmsMasterKeyId);
    let Some(key) = key.filter(|key| !key.is_empty()) else {
        return;
    };
    let allowed = stack.consumer_keys();
    match key_problem(key, allowed) {
        Some(_) if key.contains("alias/") => match arn_of(key, stack).await {
            Ok(arn) => key_problem(&arn, allowed).map_or((), |allowed| output.note(&allowed)),
            Err(why) => output.note(&format!(
                "the KMS key {key} of the queue cannot be read ({why}): make sure that ConsumerKeyArns \
                    lists its ARN"
            )),
        },
        problem => problem.map_or((), |problem| output.note(&problem)),
    }
}

/// The ARN of the key behind an alias.
async fn arn_of(key: &str, stack: &Stack) -> Result<String> {
    let kms = stack.kms();
    let asked = kms.describe_key().key_id(key).send().await;
    let key = asked.map_err(AwsError::from)?.key_metadata;
    Ok(key.and_then(|key| key.arn).ok_or("it has no ARN")?)
}

fn size_problem(size: &str) -> Option<String> {
    let bytes = size.parse::<usize>().ok()?;
    (bytes < MAX_BYTES).then(|| {
        format!(
            "the queue takes messages up to {bytes} bytes, and larger events go to the dead-letter \
            queue: set its MaximumMessageSize to {MAX_BYTES}"
        )
    })
}

/// The problem with a queue's key, by its id or ARN and the ARNs in `ConsumerKeyArns`.
fn key_problem(key: &str, allowed: &str) -> Option<String> {
    // AWS's own key is open to everyone in the queue's account.
    let is_of_aws = key.ends_with("alias/aws/sqs");
    let is_named = |arn: &str| arn == key || arn.rsplit('/').next() == Some(key);
    let is_allowed = is_of_aws || allowed.split(',').any(|arn| is_named(arn.trim()));
    (!is_allowed).then(|| {
        format!("the queue is encrypted with the KMS key {key}, but the template's parameter \
            ConsumerKeyArns does not list the key. Its events go to the dead-letter queue until the \
            parameter lists it and the key's policy lets the ingress function use it")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/events";

    fn on_aws() -> Stack {
        let mut stack = Stack::with_outputs(&[("EventsQueueUrl", EVENTS)]);
        stack.is_local = false;
        let region = aws_config::Region::new("eu-central-1");
        stack.aws = stack.aws.into_builder().region(region).build();
        stack
    }

    #[test]
    fn only_the_url_of_a_standard_queue_is_taken() {
        let search = "https://sqs.eu-central-1.amazonaws.com/123456789012/search";
        assert_eq!(queue_problem(search, &on_aws()), None);
        for (wrong, why) in [
            (
                "https://sqs.eu-central-1.amazonaws.com/123456789012/search.fifo",
                "FIFO",
            ),
            (
                "http://sqs.eu-central-1.amazonaws.com/123456789012/search",
                "not the URL",
            ),
            ("http://localhost:4566/000000000000/search", "not the URL"),
            (
                "arn:aws:sqs:eu-central-1:123456789012:search",
                "not the URL",
            ),
            (
                "https://sqs.eu-central-1.amazonaws.com/search",
                "not the URL",
            ),
            (
                "https://sqs.eu-central-1.amazonaws.com/123456789012/",
                "not the URL",
            ),
            ("search", "not the URL"),
            (EVENTS, "every event"),
        ] {
            let problem = queue_problem(wrong, &on_aws()).unwrap();
            assert!(problem.contains(why), "{wrong}: {problem}");
        }
    }

    #[test]
    fn a_queue_of_another_region_is_refused() {
        let stack = on_aws();
        for host in [
            "sqs.eu-west-1.amazonaws.com",
            "sqs-fips.us-east-1.amazonaws.com",
            "eu-west-1.queue.amazonaws.com",
            "queue.amazonaws.com",
            "vpce-0a-1b.sqs.eu-west-1.vpce.amazonaws.com",
            "sqs.eu-west-1.api.aws",
            "sqs.cn-north-1.amazonaws.com.cn",
            "cn-north-1.queue.amazonaws.com.cn",
        ] {
            let queue = format!("https://{host}/123456789012/search");
            let problem = queue_problem(&queue, &stack).unwrap_or_else(|| panic!("{host}"));
            assert!(
                problem.contains("the stack is in eu-central-1"),
                "{problem}"
            );
            for (other, own) in [("eu-west-1", "eu-central-1"), ("us-east-1", "eu-central-1")] {
                let queue = queue.replace(other, own);
                let is_own = queue.contains(own);
                assert_eq!(queue_problem(&queue, &stack).is_none(), is_own, "{queue}");
            }
        }
        // The operator has to know the region of other hosts.
        let odd = "https://sqs.example.com/123456789012/search";
        assert_eq!(queue_problem(odd, &stack), None);
    }

    #[test]
    fn a_queue_that_takes_less_than_the_stacks_own_is_noticed() {
        assert_eq!(size_problem("1048576"), None);
        assert_eq!(size_problem("what"), None);
        let problem = size_problem("262144").unwrap();
        assert!(
            problem.contains("262144") && problem.contains("1048576"),
            "{problem}"
        );
    }

    #[test]
    fn a_key_that_the_function_may_not_use_is_noticed() {
        let arn = |id: &str| format!("arn:aws:kms:eu-central-1:123456789012:key/{id}");
        let allowed = format!("{},{}", arn("1-a"), arn("2-b"));
        let by_aws = "arn:aws:kms:eu-central-1:123456789012:alias/aws/sqs";
        for right in ["1-a", "2-b", &arn("2-b"), "alias/aws/sqs", by_aws] {
            assert_eq!(key_problem(right, &allowed), None, "{right}");
        }
        for (wrong, allowed) in [
            ("a", &*allowed),
            (&arn("3"), &*allowed),
            ("alias/mine", &*allowed),
            ("1-a", ""),
        ] {
            let problem = key_problem(wrong, allowed).unwrap();
            assert!(problem.contains("ConsumerKeyArns"), "{problem}");
        }
    }

    #[test]
    fn a_local_stack_has_queues_without_tls() {
        let stack = Stack::with_outputs(&[]);
        let queue = "http://localhost:4566/000000000000/search";
        assert_eq!(queue_problem(queue, &stack), None);
    }

    #[test]
    fn what_could_never_match_is_refused() {
        let right = Subscription {
            name: "search".to_owned(),
            queue_url: "https://sqs.eu-central-1.amazonaws.com/1/search".to_owned(),
            events: vec!["*".to_owned()],
            sources: vec!["studio".to_owned()],
            expires_at: None,
        };
        assert!(check(&right, &on_aws()).is_ok());
        let mut wrong = [right.clone(), right.clone(), right.clone(), right];
        wrong[0].name = String::new();
        wrong[1].events = vec![" *".to_owned()];
        wrong[2].events = vec![String::new()];
        wrong[3].sources = vec!["a/b".to_owned()];
        for wrong in wrong {
            assert!(check(&wrong, &on_aws()).is_err(), "{wrong:?}");
        }
    }
}
