//! The law of paging, over every small list and page size: each record comes once, and no more is asked for than the
//! reference would ask.
//!
//! A strategy that counts knows the end by a page that is not full, so a list that ends with a full page costs one request
//! more; one that is told (by a token, or by a flag) knows it with the last page.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::upstream::{Upstream, ids, items, ok, read_all};

/// The list's length and the page's size, as the upstream has them now.
#[derive(Default)]
struct List {
    total: AtomicUsize,
    size: AtomicUsize,
}

async fn upstream(list: &Arc<List>) -> Upstream {
    let list = Arc::clone(list);
    Upstream::start(move |seen| {
        let (total, size) = (
            list.total.load(Ordering::SeqCst),
            list.size.load(Ordering::SeqCst),
        );
        let page = seen.number("page").map(|page| page * size);
        let from = page
            .or_else(|| seen.number("offset"))
            .or_else(|| seen.number("after"))
            .unwrap_or(0);
        let end = total.min(from + size);
        let data: Vec<Value> = (from..end).map(|id| json!({ "id": id })).collect();
        let next = (end < total).then_some(end);
        ok(&json!({ "data": data, "next": next, "more": end < total }))
    })
    .await
}

fn paginator(parameter: &str, strategy: &str) -> String {
    format!(
        "paginator:\n  type: DefaultPaginator\n  page_token_option: {{type: RequestOption, inject_into: request_parameter, \
         field_name: {parameter}}}\n  pagination_strategy: {{{strategy}}}"
    )
}

#[tokio::test]
async fn every_record_comes_once_with_the_fewest_requests() {
    let list = Arc::<List>::default();
    let upstream = upstream(&list).await;
    let mut asked = 0;
    for size in 1..=4 {
        list.size.store(size, Ordering::SeqCst);
        let counted = |total: usize| total / size + 1;
        let told = |total: usize| total.div_ceil(size).max(1);
        let strategies: [(String, &dyn Fn(usize) -> usize); 6] = [
            (
                paginator("page", &format!("type: PageIncrement, page_size: {size}")),
                &counted,
            ),
            (
                paginator("offset", &format!("type: OffsetIncrement, page_size: {size}")),
                &counted,
            ),
            (
                paginator(
                    "page",
                    &format!("type: PageIncrement, page_size: {size}, inject_on_first_request: true"),
                ),
                &counted,
            ),
            (
                paginator(
                    "after",
                    "type: CursorPagination, cursor_value: \"{{ response.next }}\"",
                ),
                &told,
            ),
            (
                paginator(
                    "after",
                    "type: CursorPagination, cursor_value: \"{{ last_record.id + 1 }}\", \
                     stop_condition: \"{{ not response.more }}\"",
                ),
                &told,
            ),
            (
                paginator(
                    "after",
                    &format!(
                        "type: CursorPagination, cursor_value: \"{{{{ last_record.id + 1 }}}}\", \
                         stop_condition: \"{{{{ last_page_size < {size} }}}}\""
                    ),
                ),
                &counted,
            ),
        ];
        for (paginator, fewest) in &strategies {
            let yaml = items(&upstream.base(), "/items", paginator, "");
            for total in 0..=9 {
                list.total.store(total, Ordering::SeqCst);
                let read = read_all(&upstream, &yaml, json!({})).await;
                let expected: Vec<i64> = (0..i64::try_from(total).unwrap()).collect();
                assert_eq!(
                    ids(&read),
                    expected,
                    "{total} records, {size} a page, {paginator}"
                );
                let made = upstream.seen().len() - asked;
                assert_eq!(made, fewest(total), "{total} records, {size} a page, {paginator}");
                asked += made;
            }
        }
    }
}
