//! `lazy_read_pointer`: a partition's first page in its parent's record, and what does not go with it.

use super::super::component::Component;
use super::super::components::{Decoder, IncrementalSync, PartitionRouter, Retriever};

/// Refuses what cannot be read from a record; `None`: it was refused.
pub(super) fn check(
    component: &Component<'_>,
    retriever: &mut Retriever,
    incremental: Option<&IncrementalSync>,
) -> Option<()> {
    let Retriever::Simple(simple) = retriever else {
        return Some(());
    };
    let alone = simple.partition_routers.len() == 1;
    for router in &mut simple.partition_routers {
        let PartitionRouter::Substream { parents } = router else {
            continue;
        };
        let lazy = parents
            .iter_mut()
            .filter(|parent| !parent.lazy_read_pointer.is_empty());
        if alone {
            if lazy.count() == 0 {
                return Some(());
            }
            let refused = match incremental {
                Some(IncrementalSync::Count(_)) => Some("an IncrementingCountCursor"),
                Some(IncrementalSync::Datetime(cursor)) if cursor.step.is_some() => {
                    Some("the step of a cursor, which asks for several windows of each partition")
                }
                _ if simple.decoder != Decoder::Json => Some("another decoder than JsonDecoder"),
                _ if simple.query_properties.is_some() => Some("query properties"),
                _ if simple.page_size_reduction.is_some() => Some("page_size_reduction"),
                _ if simple.request_window_splitting.is_some() => Some("request_window_splitting"),
                _ => None,
            };
            if let Some(what) = refused {
                component.fault(format!(
                    "lazy_read_pointer takes a partition's first page from its parent's record, which does not go with {what}"
                ));
                return None;
            }
        } else {
            // Of several routers that multiply, none knows a partition alone.
            lazy.for_each(|parent| parent.lazy_read_pointer.clear());
        }
    }
    Some(())
}
