//! One batch with all that can become of a delivery, and what has to have become of it in the end, whatever
//! failed and whichever process died on the way.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use testkit::delivery::{DeliveryHarness, event, id, ledger_item, now_ms};
use testkit::receiver::{Receiver, Reply, Request};
use testkit::webhook::creative_force;

/// The endpoints of a case by what they answer, what they differ in, and what becomes of their one delivery.
const ENDPOINTS: [(&str, &str, &str); 7] = [
    ("well", "{}", "delivered"),
    ("flaky", "{}", "delivered"),
    ("gone", "{}", "held"),
    ("busy", "{}", "delivered"),
    ("dead", "{}", "delivered"),
    ("slow", r#"{"rate": 1}"#, "delivered"),
    ("mute", r#"{"retry": []}"#, "exhausted"),
];

/// The key of a claimed body.
const CLAIMED: &str = "bodies/claimed";

/// The traffic of one case.
pub(super) struct Traffic {
    case: u32,
    receiver: Receiver,
}

impl Traffic {
    /// Makes the endpoints of a case, and puts its messages onto the queue.
    pub(super) async fn offer(world: &DeliveryHarness, case: u32) -> Self {
        let receiver = Receiver::start().await;
        let mut seen = HashMap::new();
        receiver.answer(move |request| answer(request, &mut seen));
        let this = Self { case, receiver };
        world.accept(case).await;
        for (kind, members, _) in ENDPOINTS {
            let members = serde_json::from_str(members).unwrap();
            let url = this.receiver.url();
            world.endpoint(&this.endpoint(kind), &url, &members).await;
            world.order(&this.endpoint(kind), case).await;
        }
        // One more failure opens its circuit.
        let circuit = json!({"failures": 9, "failing_since": now_ms()});
        world.put_circuit(&this.endpoint("dead"), &circuit).await;
        world.order(&this.endpoint("deleted"), case).await;
        let body = creative_force("claimed", &"x".repeat(300 * 1024));
        world.aws.put_object(CLAIMED, body.into()).await;
        let mut claimed = ledger_item(&event(this.claimed()));
        claimed["body_s3"] = json!({"S": CLAIMED});
        world.aws.put_item(&claimed).await;
        world.order(&this.endpoint("well"), this.claimed()).await;
        world.send(&json!(format!("poison of {case}"))).await;
        this
    }

    fn endpoint(&self, kind: &str) -> String {
        format!("ep_{kind}_{}", self.case)
    }

    /// The number of the event whose body is in the bucket.
    fn claimed(&self) -> u32 {
        self.case + 100_000
    }

    /// Checks what became of it, once nothing fails any more and the queue is empty.
    pub(super) async fn check(&self, world: &DeliveryHarness, what: &str) {
        let of = |state: &str, count| BTreeMap::from([(state.to_owned(), count)]);
        for (kind, _, state) in ENDPOINTS {
            let endpoint = self.endpoint(kind);
            let count = if kind == "well" { 2 } else { 1 };
            assert_eq!(
                world.states(&endpoint).await,
                of(state, count),
                "{what}: {kind}"
            );
            let held = usize::from(state == "held");
            assert_eq!(world.held(&endpoint).await.len(), held, "{what}: {kind}");
            let circuit = world.standing("circuit", &endpoint).await;
            for leftover in ["probe", "notice", "opened_at"] {
                assert_eq!(circuit.get(leftover), None, "{what}: {kind}: {circuit}");
            }
        }
        let deleted = self.endpoint("deleted");
        assert_eq!(world.states(&deleted).await, of("skipped", 1), "{what}");
        let gone = world.standing("endpoint", &self.endpoint("gone")).await;
        assert_eq!(gone["state"], "disabled", "{what}");
        self.check_requests(what);
        self.check_messages(world, what).await;
    }

    /// Each delivery has one body over all its attempts, and each that is delivered was posted.
    fn check_requests(&self, what: &str) {
        let mut bodies: HashMap<String, BTreeSet<Vec<u8>>> = HashMap::new();
        for request in self.receiver.requests() {
            bodies.entry(request.id()).or_default().insert(request.body);
        }
        let posted = ENDPOINTS.map(|(kind, _, _)| id(&self.endpoint(kind), self.case));
        let claimed = id(&self.endpoint("well"), self.claimed());
        for delivery in posted.iter().chain([&claimed]) {
            let bodies = bodies.remove(delivery).unwrap_or_default();
            assert_eq!(bodies.len(), 1, "{what}: {delivery}");
        }
        assert!(bodies.is_empty(), "{what}: {:?}", bodies.keys());
    }

    /// The poison was set aside, and the operator was told of the endpoint that is gone, both ways.
    async fn check_messages(&self, world: &DeliveryHarness, what: &str) {
        let poison = json!(format!("poison of {}", self.case));
        let dead = world.aws.drain("dead").await;
        assert!(dead.iter().any(|message| message.body == poison), "{what}");
        let gone = self.endpoint("gone");
        let events = world.aws.drain("events").await;
        let is_told = |event: &Value| {
            event["type"] == "io.webhook-gateway.endpoint.disabled"
                && event["subject"] == format!("endpoint/{gone}")
        };
        assert!(events.iter().any(|event| is_told(&event.body)), "{what}");
        let notices = world.aws.drain("notices").await;
        let is_told = |notice: &Value| {
            let subject = format!("Webhook endpoint disabled: the endpoint {gone}");
            notice["Subject"] == subject
        };
        assert!(notices.iter().any(|notice| is_told(&notice.body)), "{what}");
    }

    /// Sends another event to the endpoints of which there may be something to tell.
    pub(super) async fn follow_up(&self, world: &DeliveryHarness) {
        for kind in ["gone", "dead"] {
            world.end_claim(&self.endpoint(kind)).await;
            world.order(&self.endpoint(kind), self.case).await;
        }
    }
}

/// What an endpoint answers to a request, by its kind and by how many it has seen.
fn answer(request: &Request, seen: &mut HashMap<String, u32>) -> Reply {
    let id = request.id();
    let kind = id.split('_').nth(1).unwrap();
    let seen = seen.entry(kind.to_owned()).or_default();
    *seen += 1;
    match (kind, *seen) {
        ("gone", _) => Reply::status(410),
        ("mute", _) | ("flaky", 1) | ("dead", 1..=2) => Reply::status(500),
        ("busy", 1) => Reply::retry_after(429, 60),
        _ => Reply::status(200),
    }
}
