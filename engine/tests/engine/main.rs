//! The services on real databases: every test runs on SQLite and on PostgreSQL, which `SYNCLINE_TEST_POSTGRES_URL`
//! names (`scripts/with-services` starts one). A missing PostgreSQL is a failure, never a skip.

#[cfg(test)]
mod api_keys;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod connectors;
#[cfg(test)]
mod daylight;
#[cfg(test)]
mod dead_letters;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod erasure;
#[cfg(test)]
mod events;
#[cfg(test)]
mod fairness;
#[cfg(test)]
mod figures;
#[cfg(test)]
mod herd;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod integrations;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod lost_updates;
#[cfg(test)]
mod migrations;
#[cfg(test)]
mod overview;
#[cfg(test)]
mod queue;
#[cfg(test)]
mod reader_beside_syncs;
#[cfg(test)]
mod records;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod schedule;
#[cfg(test)]
mod settler;
#[cfg(test)]
mod sync;
#[cfg(test)]
mod upstream;
#[cfg(test)]
mod versions;
#[cfg(test)]
mod watch;
#[cfg(test)]
mod work;
#[cfg(test)]
mod world;
