//! What the demo says: where to click and what to paste. Everything in it works as it stands, with the real ids.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use super::seed::Seeded;

pub(super) struct Welcome<'a> {
    pub(super) listen: SocketAddr,
    /// The address that was busy.
    pub(super) busy: Option<SocketAddr>,
    pub(super) sample: SocketAddr,
    pub(super) data_dir: &'a Path,
    pub(super) operator_key: bool,
    pub(super) seeded: &'a Seeded,
}

impl Welcome<'_> {
    pub(super) fn text(&self) -> String {
        let Self {
            listen,
            sample,
            seeded,
            ..
        } = self;
        let mut text = String::from("\nSyncline is running, with a sample API to sync from.\n\n");
        if let Some(busy) = self.busy {
            let _ = writeln!(text, "  ({busy} is taken, so this demo listens on {listen}.)\n");
        }
        let _ = writeln!(text, "  Click       http://{listen}/graphiql");
        let _ = writeln!(
            text,
            "  Sample API  http://{sample}/   some pages are slow and some requests fail, on purpose"
        );
        let _ = writeln!(
            text,
            "  Data        {}   delete it to start afresh",
            self.data_dir.display()
        );
        if self.operator_key {
            text.push_str("  Key         SYNCLINE_OPERATOR_KEY is set: send it as Authorization: Bearer …\n");
        }
        let _ = writeln!(
            text,
            "\n{} has three integrations. They are syncing now, and will every minute:\n",
            seeded.client.name
        );
        for integration in &seeded.integrations {
            let _ = writeln!(
                text,
                "  {}  {:16} {}",
                integration.id,
                integration.name,
                integration.streams.join(", ")
            );
        }
        let _ = write!(
            text,
            "\nPaste into GraphiQL, one after the other.\n\nA query: how are they doing?\n\n{}",
            self.query()
        );
        let _ = write!(
            text,
            "\nA subscription: watch, leave it open in a tab of its own.\n\n{}",
            self.subscription()
        );
        let _ = write!(
            text,
            "\nA mutation: sync the web shop now, everything from the start.\n\n{}",
            self.mutation()
        );
        text.push_str("\nCtrl-C stops it; `syncline demo` goes on where it stopped.\n");
        text
    }

    fn query(&self) -> String {
        format!(
            r#"  query HowAreThey {{
    client(slug: "{slug}") {{
      name
      integrations {{
        edges {{
          node {{
            id
            name
            health
            nextRunAt
            lastRun {{
              status
              finishedAt
              progress {{ requests recordsRead recordsAdded recordsUpdated }}
              error {{ code message }}
            }}
          }}
        }}
      }}
    }}
  }}
"#,
            slug = self.seeded.client.slug
        )
    }

    fn subscription(&self) -> String {
        format!(
            r#"  subscription Watch {{
    syncRunUpdated(clientId: "{client}") {{
      id
      integration {{ name }}
      status
      attempt
      progress {{ pages recordsRead recordsAdded recordsUpdated }}
      error {{ code message }}
    }}
  }}
"#,
            client = self.seeded.client.id
        )
    }

    fn mutation(&self) -> String {
        let shop = self
            .seeded
            .integrations
            .last()
            .map(|integration| integration.id.to_string())
            .unwrap_or_default();
        format!(
            r#"  mutation SyncNow {{
    triggerSync(input: {{ integrationId: "{shop}", mode: FULL_REFRESH }}) {{
      run {{ id status trigger queuedAt }}
      deduplicated
      userErrors {{ code message field }}
    }}
  }}
"#
        )
    }
}
