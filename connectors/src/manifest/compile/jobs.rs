//! `AsyncRetriever`.

use std::collections::HashMap;

use super::super::component::Component;
use super::super::components::{
    AsyncRetriever, Decoder, Extractor, HttpRequester, Integer, JobStatus, SimpleRetriever, Transformation,
};
use super::super::slot::Slot;
use super::decoding::{decoder, document_decoder, refuse_combining, refuse_paging};
use super::extraction::{extractor, field_path};
use super::paging::paginator;
use super::records::selector;
use super::requests::requester;
use super::slicing::partition_routers;
use super::values::integer;

const STATUSES: &[(&str, JobStatus)] = &[
    ("running", JobStatus::Running),
    ("completed", JobStatus::Completed),
    ("failed", JobStatus::Failed),
    ("timeout", JobStatus::TimedOut),
    ("skipped", JobStatus::Skipped),
];

pub(super) fn async_retriever(
    component: &Component<'_>,
    transformations: Vec<Transformation>,
    transform_first: bool,
) -> Option<AsyncRetriever> {
    let needed = |name: &str| component.required(name).and_then(|slot| requester(&slot));
    let creation_requester = needed("creation_requester");
    let polling_requester = needed("polling_requester");
    let download_requester = needed("download_requester");
    let other = |name: &str| component.optional(name, requester);
    let download_target_requester = other("download_target_requester");
    let abort_requester = other("abort_requester");
    let delete_requester = other("delete_requester");
    let status_extractor = component
        .required("status_extractor")
        .and_then(|slot| field_path(&slot));
    let download_target_extractor = component.optional("download_target_extractor", field_path);
    let status_mapping = component
        .required("status_mapping")
        .and_then(|slot| statuses(&slot));
    let answers = component.or("decoder", Decoder::default(), document_decoder);
    let polling_job_timeout = component.optional("polling_job_timeout", integer);
    let failed_retry_wait_time_in_seconds = component.optional("failed_retry_wait_time_in_seconds", waiting);
    let download = download(component, download_requester, transformations, transform_first);
    let target_extractor = download_target_extractor?;
    if matches!(download_target_requester, Some(Some(_))) && target_extractor.is_none() {
        component.fault("a download_target_requester needs a download_target_extractor, which finds the targets in its answer");
        return None;
    }
    Some(AsyncRetriever {
        download: download?,
        creation_requester: creation_requester?,
        polling_requester: polling_requester?,
        download_target_requester: download_target_requester?,
        abort_requester: abort_requester?,
        delete_requester: delete_requester?,
        decoder: answers?,
        status_extractor: status_extractor?,
        download_target_extractor: target_extractor,
        status_mapping: status_mapping?,
        polling_job_timeout: polling_job_timeout?,
        failed_retry_wait_time_in_seconds: failed_retry_wait_time_in_seconds?,
    })
}

/// Only the stream's filter and transformations are taken from its record selector: its extractor has no effect, as in
/// the reference.
fn download(
    component: &Component<'_>,
    requester: Option<HttpRequester>,
    transformations: Vec<Transformation>,
    transform_first: bool,
) -> Option<SimpleRetriever> {
    let record_selector = component
        .required("record_selector")
        .and_then(|slot| selector(&slot, transformations, transform_first));
    let own = component.or("download_decoder", Decoder::default(), decoder);
    let extracted = component.or(
        "download_extractor",
        (Extractor::whole(), None),
        download_extractor,
    );
    let paginator = component.or("download_paginator", None, paginator);
    let partition_routers = component.or("partition_router", Vec::new(), partition_routers);
    let (extractor, file) = extracted?;
    let decoder = file.or(own)?;
    let paging = paginator.as_ref().and_then(Option::as_ref);
    refuse_paging(component, "download_paginator", &decoder, paging)?;
    refuse_combining(component, &extractor, &decoder)?;
    let mut record_selector = record_selector?;
    record_selector.extractor = extractor;
    Some(SimpleRetriever {
        requester: requester?,
        decoder,
        record_selector,
        paginator: paginator?,
        partition_routers: partition_routers?,
        ignore_stream_slicer_parameters_on_paginated_requests: false,
        query_properties: None,
        pagination_reset: None,
        page_size_reduction: None,
        request_window_splitting: None,
    })
}

/// An extractor, and the decoder of one that decodes by itself.
fn download_extractor(slot: &Slot<'_>) -> Option<(Extractor, Option<Decoder>)> {
    if slot.type_name() != Some("ResponseToFileExtractor") {
        return extractor(slot).map(|extractor| (extractor, None));
    }
    let component = slot.component(&["ResponseToFileExtractor"])?;
    component.check_fields();
    let preserve_na_values = component.or("preserve_na_values", false, Slot::boolean)?;
    Some((Extractor::whole(), Some(Decoder::CsvFile { preserve_na_values })))
}

/// A mapping, with its type or without.
fn statuses(slot: &Slot<'_>) -> Option<HashMap<String, JobStatus>> {
    let mut given: Vec<(String, Slot<'_>)> = Vec::new();
    if slot.type_name().is_some() {
        let component = slot.component(&["AsyncJobStatusMap"])?;
        component.check_fields();
        for (name, _) in STATUSES {
            given.extend(component.field(name).map(|slot| ((*name).to_owned(), slot)));
        }
    } else {
        let entries = slot.entries()?;
        given.extend(
            entries
                .into_iter()
                .map(|(name, _, slot)| (name.to_string(), slot)),
        );
    }
    let mut mapping = HashMap::new();
    let mut sound = true;
    for (name, slot) in &given {
        let Some((_, status)) = STATUSES.iter().find(|(known, _)| known == name) else {
            slot.strange_field(name, &["running", "completed", "failed", "timeout", "skipped"]);
            sound = false;
            continue;
        };
        for own in slot.literals()? {
            if mapping.insert(own.clone(), *status).is_some() {
                slot.fault(format!(
                    "the status {own:?} stands twice in the mapping; it can mean one thing"
                ));
                sound = false;
            }
        }
    }
    for (name, _) in STATUSES.iter().filter(|(name, _)| *name != "skipped") {
        if !given.iter().any(|(own, _)| own == name) {
            slot.fault(format!(
                "the mapping needs the field {name}: a list of the upstream's statuses, if only an empty one"
            ));
            sound = false;
        }
    }
    sound.then_some(mapping)
}

/// A number of seconds, at least one.
fn waiting(slot: &Slot<'_>) -> Option<Integer> {
    let seconds = integer(slot)?;
    if matches!(seconds, Integer::Fixed(seconds) if seconds < 1) {
        slot.fault(format!("{} has to be at least 1", slot.name()));
        return None;
    }
    Some(seconds)
}
