//! How many calls of the table requests take, whatever there is. They are counted in front of the table: this part says the same on
//! every machine. The call that says who asks is not counted.

use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_testkit::{Answer, Client, Person, TestApp, build};

use super::progress;
use super::table::Line;

/// Things in a short list, and in a long one.
const LENGTHS: [usize; 2] = [10, 10_000];
/// Teams that share ten thousand jobs.
const TEAMS: usize = 100;
/// Jobs on a page of one's own, and the most that there can be.
const LIMITS: [usize; 2] = [20, 100];

pub(super) async fn measure() -> Vec<Line> {
    let mut lines = operations().await;
    lines.extend(infrastructure().await);
    lines.extend(ones_jobs().await);
    lines
}

/// Calls that a request took, and its answer.
struct Calls {
    names: Vec<String>,
    answer: Answer,
}

impl Calls {
    async fn of(app: &TestApp, request: impl Future<Output = Answer>) -> Self {
        let (answer, mut names) = app.measure(request).await;
        assert_eq!(names.remove(0), "BatchGetItem", "who asks");
        assert!(answer.status.is_success(), "{answer}");
        Self { names, answer }
    }

    /// How many there were of some operations, and how many there may be.
    fn line(&self, name: String, operations: &[&str], most: usize) -> Line {
        let count = self.names.iter().filter(|name| operations.contains(&name.as_str())).count();
        Line::counted(name, count, most)
    }

    fn reads(&self, name: &str, most: usize) -> Line {
        self.line(format!("{name}, reads"), &["GetItem", "BatchGetItem", "Query"], most)
    }

    fn writes(&self, name: &str, most: usize) -> Line {
        self.line(format!("{name}, transactions"), &["TransactWriteItems"], most)
    }

    /// Of a page of a list.
    fn page(&self, name: &str, (queries, batches): (usize, usize)) -> [Line; 2] {
        [
            self.line(format!("{name}, queries"), &["Query"], queries),
            self.line(format!("{name}, batch reads"), &["BatchGetItem", "GetItem"], batches),
        ]
    }
}

/// An operation begins, and somebody looks how far it is.
async fn operations() -> Vec<Line> {
    progress("calls: operations");
    let app = TestApp::start().await.steady();
    let owner = app.sign_up("owner@example.com").await;
    let connection = app.connection(&owner, "prod").await;
    let network = app.pending_network(&owner, &connection, "main").await;
    let path = format!("/infra/connections/{connection}/networks/{network}/provision");
    let start = Calls::of(&app, owner.act(&path)).await;
    let look = Calls::of(&app, owner.get(&format!("/operations/{}", start.answer.text("id")))).await;
    app.deliver().await;
    let (starting, looking) = ("start of an operation", "a look at an operation");
    vec![start.reads(starting, 1), start.writes(starting, 1), look.reads(looking, 1), look.writes(looking, 0)]
}

/// Lists of networks and clusters: of all of them, and of one connection's.
async fn infrastructure() -> Vec<Line> {
    let app = TestApp::start().await.steady();
    let owner = app.sign_up("owner@example.com").await;
    let connection = app.connection(&owner, "prod").await;
    let network = app.network(&owner, &connection, "main").await;
    let cluster = app.pending_cluster(&owner, (&connection, &network), "main").await;
    let mut lines = Vec::new();
    for length in LENGTHS {
        progress(&format!("calls: lists of {length}"));
        app.table().multiply("network", &network, length);
        app.table().multiply("provisioned_cluster", &cluster, length);
        for kind in ["networks", "clusters"] {
            let of_one = format!("/infra/connections/{connection}/{kind}");
            for (name, path) in [("", format!("/infra/{kind}")), (" of a connection", of_one)] {
                let page = Calls::of(&app, owner.get(&format!("{path}?limit=5"))).await;
                lines.extend(page.page(&format!("a page of {length} {kind}{name}"), (1, 1)));
            }
        }
    }
    app.deliver().await;
    lines
}

/// `GET /me/jobs` of ten thousand jobs that a hundred teams share evenly.
async fn ones_jobs() -> Vec<Line> {
    progress("calls: one's jobs");
    let app = TestApp::start().await.steady();
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let (mut teams, mut jobs) = (Vec::new(), Vec::new());
    for index in 0..TEAMS {
        let team = owner.post("/org/teams", build::team(&format!("team {index}"))).await.expect(201).json();
        teams.push(team["team"]["id"].as_str().unwrap().to_owned());
        let job = build::job(&format!("job-{index}"), &cluster, &teams[index]);
        jobs.push(owner.create("/workloads/jobs", job).await);
    }
    app.deliver().await;
    let jobs: Vec<&str> = jobs.iter().map(String::as_str).collect();
    app.table().multiply_each(&["job", "listed_job"], &jobs, LENGTHS[1] / TEAMS);
    let everywhere = member(&app, &owner, "everywhere@example.com", &teams).await;
    let in_one = member(&app, &owner, "in-one@example.com", &teams[70..71]).await;
    // What the largest page takes beyond the usual: its jobs point at more than the hundred rows that one batch read takes; or the
    // whole list, of two megabytes, is passed over for it.
    let people = [
        ("an Owner", &owner.client, [(1, 2), (1, 3)]),
        ("somebody in all teams", &everywhere, [(1, 2), (1, 3)]),
        ("somebody in one team", &in_one, [(1, 2), (2, 2)]),
    ];
    let mut lines = Vec::new();
    for (who, client, most) in people {
        for (limit, most) in LIMITS.into_iter().zip(most) {
            let page = Calls::of(&app, client.get(&format!("/me/jobs?limit={limit}"))).await;
            assert_eq!(page.answer.json()["items"].as_array().unwrap().len(), limit);
            lines.extend(page.page(&format!("{limit} of 10,000 jobs, {who}"), most));
        }
    }
    lines
}

async fn member(app: &TestApp, owner: &Person, email: &str, teams: &[String]) -> Client {
    let seats: Vec<(&str, TeamRole)> = teams.iter().map(|team| (team.as_str(), TeamRole::Viewer)).collect();
    let person = app.member(email, &owner.organization_id, &[OrganizationRole::Member], &seats).await;
    person.with("lakesail-organization-id", &owner.organization_id)
}
