//! Records that a job prepares: asked for, waited for, downloaded.

use std::collections::HashMap;

use super::{Decoder, HttpRequester, Integer, SimpleRetriever, Text};

/// `AsyncRetriever`.
#[derive(Debug)]
pub struct AsyncRetriever {
    /// `download_requester`, `download_decoder`, `download_extractor` and `download_paginator`, with the filter, the
    /// transformations and the partition routers of the stream: what a simple retriever has, for each target of a job.
    pub download: SimpleRetriever,
    /// Starts a job.
    pub creation_requester: HttpRequester,
    /// Asks how it stands.
    pub polling_requester: HttpRequester,
    /// Asks a job that is done where its results are; without one, the last poll says so.
    pub download_target_requester: Option<HttpRequester>,
    /// Stops a job that took too long.
    pub abort_requester: Option<HttpRequester>,
    /// Removes a job whose results were read.
    pub delete_requester: Option<HttpRequester>,
    /// How answers about jobs are read.
    pub decoder: Decoder,
    /// Where a poll's answer holds the status.
    pub status_extractor: Vec<Text>,
    /// Where an answer holds the results' places; without one, there is one download.
    pub download_target_extractor: Option<Vec<Text>>,
    /// What the upstream's statuses mean.
    pub status_mapping: HashMap<String, JobStatus>,
    /// Minutes until a job has taken too long; 60 where the manifest does not say.
    pub polling_job_timeout: Option<Integer>,
    /// Seconds until a job that failed is started anew; without them, at once.
    pub failed_retry_wait_time_in_seconds: Option<Integer>,
}

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStatus {
    /// It is being worked on.
    Running,
    /// Its results are there.
    Completed,
    /// It failed.
    Failed,
    /// The upstream gave it up.
    TimedOut,
    /// There is nothing to read.
    Skipped,
}
