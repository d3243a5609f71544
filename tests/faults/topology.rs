//! Two APIs and three schedulers on one PostgreSQL and one Redis, and everything that can be done to them.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tests::{GraphQl, Postgres, Redis, Server, ServerOptions, TestDatabase, eventually};

use crate::chance::Chance;
use crate::upstream::Counts;

pub(crate) const LEASE: Duration = Duration::from_secs(3);
const APIS: usize = 2;
const SCHEDULERS: usize = 3;

pub(crate) struct Topology {
    pub(crate) database: TestDatabase,
    pub(crate) done: Vec<&'static str>,
    postgres: Postgres,
    redis: Redis,
    apis: Vec<Server>,
    schedulers: Vec<Server>,
    clients: Arc<Mutex<Vec<GraphQl>>>,
    counts: Arc<Counts>,
}

async fn process(database: &TestDatabase, role: &str) -> Server {
    let options = ServerOptions::role(role)
        .with("SYNCLINE_LEASE_SECONDS", LEASE.as_secs())
        .with("SYNCLINE_WORKERS", 8)
        .with("RUST_LOG", "warn,api=info");
    Server::start_with(database, options).await
}

impl Topology {
    pub(crate) async fn start(counts: Arc<Counts>) -> Self {
        let (postgres, redis) = tokio::join!(Postgres::start(), Redis::start());
        let database = TestDatabase::on(&postgres.url(), redis.url()).await;
        let (mut apis, mut schedulers) = (Vec::new(), Vec::new());
        for _ in 0..APIS {
            apis.push(process(&database, "api").await);
        }
        for _ in 0..SCHEDULERS {
            schedulers.push(process(&database, "scheduler").await);
        }
        let clients = Arc::new(Mutex::new(apis.iter().map(Server::graphql).collect()));
        Self {
            database,
            done: Vec::new(),
            postgres,
            redis,
            apis,
            schedulers,
            clients,
            counts,
        }
    }

    /// The APIs that run now, for whoever asks them.
    pub(crate) fn clients(&self) -> Arc<Mutex<Vec<GraphQl>>> {
        Arc::clone(&self.clients)
    }

    /// Breaks something, and mends it.
    pub(crate) async fn fault(&mut self, chance: &mut Chance) {
        let what = match chance.below(10) {
            0 | 1 => self.kill_scheduler(chance).await,
            2 | 3 => self.pause_scheduler(chance).await,
            4 => self.kill_api(chance).await,
            5 => self.restart_redis(chance).await,
            6 => self.crash_postgres(chance).await,
            7 => self.pause_all_schedulers(chance).await,
            8 => self.claim_a_second_run().await,
            _ => self.cut_connections().await,
        };
        self.done.push(what);
    }

    async fn kill_scheduler(&mut self, chance: &mut Chance) -> &'static str {
        let at = chance.below(SCHEDULERS);
        let killed = self.schedulers.swap_remove(at);
        killed.kill().await;
        chance.pause(500, 3_000).await;
        self.schedulers.push(process(&self.database, "scheduler").await);
        "scheduler killed"
    }

    /// Past its lease, so that somebody else has its runs when it wakes.
    async fn pause_scheduler(&mut self, chance: &mut Chance) -> &'static str {
        let at = chance.below(SCHEDULERS);
        self.schedulers[at].signal("STOP");
        chance.pause(4_000, 7_000).await;
        self.counts.woken.store(true, Ordering::SeqCst);
        self.schedulers[at].signal("CONT");
        chance.pause(1_000, 1_500).await;
        self.counts.woken.store(false, Ordering::SeqCst);
        "scheduler paused past its lease"
    }

    /// Past their leases and with nobody there to take the runs: what keeps the writes out of those who wake first is
    /// the lease's end alone, because the fences are still theirs.
    async fn pause_all_schedulers(&mut self, chance: &mut Chance) -> &'static str {
        for scheduler in &self.schedulers {
            scheduler.signal("STOP");
        }
        chance.pause(3_500, 5_000).await;
        self.counts.woken.store(true, Ordering::SeqCst);
        for scheduler in &self.schedulers {
            scheduler.signal("CONT");
        }
        chance.pause(1_000, 1_500).await;
        self.counts.woken.store(false, Ordering::SeqCst);
        "all schedulers paused past their leases"
    }

    /// As a claimer would that looks at nothing: ours do not, but a later one may. The database has to refuse. (Both rows
    /// are locked, so that the running one cannot end meanwhile.)
    async fn claim_a_second_run(&mut self) -> &'static str {
        let claim = "UPDATE sync_run SET status = 'RUNNING', fence = fence + 1, lease_owner = 'nobody', \
             lease_until = CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) + 1000000 WHERE id = (\
             SELECT waiting.id FROM sync_run AS waiting JOIN sync_run AS running \
             ON running.integration_id = waiting.integration_id AND running.status = 'RUNNING' \
             WHERE waiting.status = 'QUEUED' LIMIT 1 FOR UPDATE SKIP LOCKED)";
        eventually("there is a run behind a running one", || async {
            match self.database.try_execute(claim).await {
                Ok(0) => None,
                Ok(_) => panic!("a second running run of an integration was accepted"),
                Err(refused) => {
                    let refused = refused.to_string();
                    assert!(refused.contains("sync_run_one_running"), "{refused}");
                    Some(())
                }
            }
        })
        .await;
        "second running run refused"
    }

    async fn kill_api(&mut self, chance: &mut Chance) -> &'static str {
        let at = chance.below(APIS);
        let killed = self.apis.swap_remove(at);
        self.show();
        killed.kill().await;
        chance.pause(100, 1_000).await;
        self.apis.push(process(&self.database, "api").await);
        self.show();
        "API killed"
    }

    async fn restart_redis(&mut self, chance: &mut Chance) -> &'static str {
        self.redis.kill().await;
        chance.pause(200, 3_000).await;
        self.redis.resume().await;
        "Redis restarted, empty"
    }

    async fn crash_postgres(&mut self, chance: &mut Chance) -> &'static str {
        self.postgres.crash().await;
        chance.pause(100, 2_000).await;
        self.postgres.resume().await;
        "PostgreSQL crashed"
    }

    async fn cut_connections(&mut self) -> &'static str {
        self.database
            .execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'syncline'",
            )
            .await;
        "database connections cut"
    }

    fn show(&self) {
        *self.clients.lock().expect("clients") = self.apis.iter().map(Server::graphql).collect();
    }

    /// Whether all processes that should run do.
    pub(crate) fn all_run(&mut self) -> bool {
        self.apis
            .iter_mut()
            .chain(&mut self.schedulers)
            .all(Server::is_running)
    }
}
