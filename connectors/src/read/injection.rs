//! What the paginator, the partition and the cursor add to a page's request.

use serde_json::{Map, Value};

use super::ReadError;
use super::cursor::COUNT_START;
use super::page::PageRequest;
use super::routers::Router;
use super::slice::Slice;
use super::stream::StreamReader;
use crate::http::authenticator::inject;
use crate::http::session::is_truthy;
use crate::http::{combine, requester};
use crate::manifest::components::{
    InjectInto, PageTokenOption, PartitionRouter, RequestOption, SimpleRetriever,
};

/// Where an injected value comes from decides whether a later page carries it too.
#[derive(Default)]
struct Parts([Map<String, Value>; 4]);

impl Parts {
    fn of(&mut self, part: InjectInto) -> &mut Map<String, Value> {
        &mut self.0[match part {
            InjectInto::RequestParameter => 0,
            InjectInto::Header => 1,
            InjectInto::BodyData => 2,
            InjectInto::BodyJson => 3,
        }]
    }
}

impl StreamReader {
    /// `parameter` is one that the query has besides.
    pub(super) fn injected(
        &self,
        retriever: &SimpleRetriever,
        request: &PageRequest,
        parameter: Option<(&str, String)>,
    ) -> Result<requester::Injected, ReadError> {
        let mut paging = Parts::default();
        if let Some(paginator) = &retriever.paginator {
            if let (Some(PageTokenOption::Option(option)), Some(token)) =
                (&paginator.page_token_option, &request.token)
            {
                inject(
                    &self.session,
                    option,
                    token.clone(),
                    paging.of(option.inject_into),
                )?;
            }
            if let (Some(option), Some(size)) =
                (&paginator.page_size_option, request.page_size.or(self.page_size))
                && size != 0
            {
                inject(
                    &self.session,
                    option,
                    Value::from(size),
                    paging.of(option.inject_into),
                )?;
            }
        }
        let mut slicing = Parts::default();
        let later = request.token.is_some();
        // A job's slice is for its creation, whose templates read it; nothing is injected there or here.
        if request.download.is_none()
            && !(later && retriever.ignore_stream_slicer_parameters_on_paginated_requests)
        {
            self.inject_slice(retriever, &request.slice, &mut slicing)?;
        }
        let [parameters, headers, data, json] = paging.0;
        let [slice_parameters, slice_headers, slice_data, slice_json] = slicing.0;
        let own = parameter.map(|(name, value)| (name.to_owned(), Value::String(value)));
        Ok(requester::Injected {
            parameters: combine([own.into_iter().collect(), parameters, slice_parameters], false)?,
            headers: combine([headers, slice_headers], false)?,
            data: combine([data, slice_data], false)?,
            json: combine([json, slice_json], true)?,
            unless: None,
        })
    }

    fn inject_slice(
        &self,
        retriever: &SimpleRetriever,
        slice: &Slice,
        into: &mut Parts,
    ) -> Result<(), ReadError> {
        for (router, plan) in self.routers.iter().zip(&retriever.partition_routers) {
            let mut own = Parts::default();
            let pairs: Vec<(&String, Option<&RequestOption>)> = match (&**router, plan) {
                (Router::List { field, .. }, PartitionRouter::List { request_option, .. }) => {
                    vec![(field, request_option.as_ref())]
                }
                (Router::Substream { parents }, PartitionRouter::Substream { parents: plans }) => parents
                    .iter()
                    .zip(plans)
                    .map(|(parent, plan)| (&parent.field, plan.request_option.as_ref()))
                    .collect(),
                _ => Vec::new(),
            };
            for (field, option) in pairs {
                if let (Some(option), Some(value)) = (
                    option,
                    slice.partition.get(field).filter(|value| is_truthy(value)),
                ) {
                    inject(&self.session, option, value.clone(), own.of(option.inject_into))?;
                }
            }
            // The first of several routers wins a conflict.
            for (into, own) in into.0.iter_mut().zip(own.0) {
                for (name, value) in own {
                    into.entry(name).or_insert(value);
                }
            }
        }
        if let Some(option) = self
            .count_cursor()
            .and_then(|cursor| cursor.start_value_option.as_ref())
        {
            let value = slice.cursor.get(COUNT_START).cloned().unwrap_or(Value::Null);
            inject(&self.session, option, value, into.of(option.inject_into))?;
        }
        if let (Some(settings), Some(cursor)) = (&self.cursor, self.datetime_cursor()) {
            let ends = [
                (&cursor.start_time_option, &settings.start_field),
                (&cursor.end_time_option, &settings.end_field),
            ];
            for (option, field) in ends {
                if let Some(option) = option {
                    let value = slice.cursor.get(field).cloned().unwrap_or(Value::Null);
                    inject(&self.session, option, value, into.of(option.inject_into))?;
                }
            }
        }
        Ok(())
    }
}
