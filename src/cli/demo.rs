//! `cartwright demo`

use std::path::{Path, PathBuf};
use std::pin::pin;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;
use tonic::transport::Channel;

use super::output::{print, recommendation_table};
use super::serve::{runtime, told_to_stop};
use super::train::read_and_train;
use crate::config::Config;
use crate::demo::{Shop, ShopOptions, customer_key, make};
use crate::grpc::pb::recommendation_service_client::RecommendationServiceClient;
use crate::grpc::{self, pb};
use crate::index::Index;

/// Make up a shop, train on it, serve it and ask it: see what Cartwright does
///
/// A year of a shop that never was: views, carts, purchases, returns, complements, substitutes and
/// things that run out. The same seed makes the same shop.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Customers of the shop
    #[arg(long, default_value_t = 4_000, value_name = "N")]
    customers: usize,
    /// Items that it sells
    #[arg(long, default_value_t = 400, value_name = "N")]
    items: usize,
    /// Days that it has been open
    #[arg(long, default_value_t = 365, value_name = "N")]
    days: u32,
    /// Another seed, another shop
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Ends after the answers instead of serving on
    #[arg(long)]
    once: bool,
    /// Keeps the shop's files and its index in DIR
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
    /// Address to listen on; without it 127.0.0.1:50051, or another port if that is taken
    #[arg(long, value_name = "HOST:PORT", value_parser = super::serve::address)]
    listen: Option<std::net::SocketAddr>,
    /// Listen where others can reach it, who may then ask and read along
    #[arg(long)]
    insecure_public: bool,
}

impl Demo {
    /// What a shop has set for its own files and its own server does not fit this one.
    pub(super) fn run(self, config: Config) -> anyhow::Result<()> {
        let config = Config { train: config.train, ..Config::default() };
        if let Some(listen) = self.listen {
            grpc::may_listen(listen, &config.serve, self.insecure_public)?;
        }
        let options = ShopOptions {
            customers: self.customers,
            items: self.items,
            days: self.days,
            seed: self.seed,
            ..ShopOptions::default()
        };
        let shop = make(&options)?;
        let temporary = tempfile::TempDir::with_prefix("cartwright-demo-")?; // removed when dropped
        let dir = self.write.as_deref().unwrap_or(temporary.path());
        let written = shop.write(dir)?;
        print(format!(
            "A shop of {} customers and {} items, open for {} days: {} events in {}\n",
            self.customers,
            self.items,
            self.days,
            shop.events.len(),
            written.events.display()
        ))?;
        let place = dir.join("index");
        let index = Index::at(&place);
        read_and_train(&[written.events], &[written.catalog], &[], &index, &config)?;
        runtime()?.block_on(self.serve_and_ask(&shop, index, &place, &config))
    }

    async fn serve_and_ask(
        &self,
        shop: &Shop,
        index: Index,
        place: &Path,
        config: &Config,
    ) -> anyhow::Result<()> {
        let listener = self.listener().await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let options = config.serve.clone();
        let mut server = tokio::spawn(async move {
            let shutdown = pin!(async {
                let _ = stopped.await;
            });
            grpc::run(listener, index, &options, shutdown).await
        });
        let signal = told_to_stop()?;
        let asking = async {
            self.ask(shop, &format!("http://{address}"), place).await?;
            if !self.once {
                print(format!("Serving on {address} until Ctrl-C."))?;
                std::future::pending::<()>().await;
            }
            Ok(())
        };
        let asked = tokio::select! {
            asked = asking => asked,
            () = signal => Ok(()),
            ended = &mut server => return Ok(ended.context("the server panicked")??),
        };
        let _ = stop.send(());
        server.await.context("the server panicked")??;
        asked
    }

    async fn listener(&self) -> anyhow::Result<TcpListener> {
        let at = |address: std::net::SocketAddr| async move {
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
        };
        let free = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        match self.listen {
            Some(address) => at(address).await,
            None if self.once => at(free).await,
            None => match at(([127, 0, 0, 1], 50051).into()).await {
                Ok(listener) => Ok(listener),
                Err(_) => at(free).await,
            },
        }
    }

    /// Asks the three questions as a shop would, over the wire.
    async fn ask(&self, shop: &Shop, server: &str, place: &Path) -> anyhow::Result<()> {
        let mut client = connect(server).await?;
        let questions = Questions::of(shop);
        let limit = 5;

        let item_id = questions.item.clone();
        let request = pb::RelatedItemsRequest { item_id, limit, ..Default::default() };
        let reply = client.related_items(request).await?.into_inner();
        print(format!("\nRelated to {}", title(shop, &questions.item)))?;
        print(reply_table(shop, &reply.recommendations))?;

        let lines = questions.basket.iter();
        let basket = lines.map(|item_id| pb::BasketLine {
            item_id: item_id.clone(),
            quantity: 1.0,
            unit_price: None,
        });
        let request =
            pb::BasketUpsellRequest { basket: basket.collect(), limit, ..Default::default() };
        let reply = client.basket_upsell(request).await?.into_inner();
        let titles: Vec<&str> = questions.basket.iter().map(|item| title(shop, item)).collect();
        print(format!("\nTo complete a basket of {}", titles.join(" and ")))?;
        print(reply_table(shop, &reply.recommendations))?;

        let customer_id = Some(questions.customer.clone());
        let request = pb::ForCustomerRequest { customer_id, limit: 10, ..Default::default() };
        let reply = client.for_customer(request).await?.into_inner();
        print(format!("\nFor customer {}", questions.customer))?;
        print(reply_table(shop, &reply.recommendations))?;

        if self.once && self.write.is_none() {
            return Ok(());
        }
        print(questions.by_hand(server.trim_start_matches("http://"), place, !self.once))
    }
}

async fn connect(server: &str) -> anyhow::Result<RecommendationServiceClient<Channel>> {
    let channel = Channel::from_shared(server.to_owned())?.connect().await?;
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel.clone());
    let request = tonic_health::pb::HealthCheckRequest::default();
    let mut updates = health.watch(request).await?.into_inner();
    while let Some(update) = updates.message().await? {
        if update.status() == tonic_health::pb::health_check_response::ServingStatus::Serving {
            return Ok(RecommendationServiceClient::new(channel));
        }
    }
    anyhow::bail!("the server ended before it was ready")
}

/// What the demo asks: about things the made-up shop has an answer to.
struct Questions {
    item: String,
    basket: Vec<String>,
    customer: String,
}

impl Questions {
    fn of(shop: &Shop) -> Self {
        let any = || shop.items.first().map(|item| item.item_id.clone()).unwrap_or_default();
        let anchors: Vec<&String> =
            shop.truth.complements.iter().map(|pair| &pair.anchor).collect();
        let mut basket: Vec<String> = Vec::new();
        for anchor in anchors.iter().rev().copied() {
            if !basket.contains(anchor) && basket.len() < 2 {
                basket.push(anchor.clone());
            }
        }
        if basket.is_empty() {
            basket.push(any());
        }
        let due = shop.truth.due.first().map(|due| due.customer.clone());
        let anybody = || shop.events.iter().find_map(|event| event.customer.map(customer_key));
        Self {
            item: anchors.first().map_or_else(any, |&anchor| anchor.clone()),
            basket,
            customer: due.or_else(anybody).unwrap_or_default(),
        }
    }

    /// The same questions to try by hand.
    fn by_hand(&self, address: &str, place: &Path, serving: bool) -> String {
        let index = place.display();
        let basket = self.basket.join(" ");
        let lines: Vec<String> =
            self.basket.iter().map(|item| format!(r#"{{"item_id":"{item}"}}"#)).collect();
        let service = "cartwright.v1.RecommendationService";
        let mut text = format!(
            "\nAsk it yourself:\n\
             \x20 cartwright ask related {} --index {index}\n\
             \x20 cartwright ask basket {basket} --index {index}\n\
             \x20 cartwright ask customer {} --index {index} --limit 20\n\
             \x20 cartwright index list --index {index}\n",
            self.item, self.customer
        );
        if serving {
            text += &format!(
                "\x20 grpcurl -plaintext -d '{{\"item_id\":\"{}\"}}' {address} {service}/RelatedItems\n\
                 \x20 grpcurl -plaintext -d '{{\"basket\":[{}]}}' {address} {service}/BasketUpsell\n\
                 \x20 grpcurl -plaintext -d '{{\"customer_id\":\"{}\"}}' {address} {service}/ForCustomer\n",
                self.item,
                lines.join(","),
                self.customer
            );
        }
        text
    }
}

fn title<'a>(shop: &'a Shop, key: &'a str) -> &'a str {
    shop.items.iter().find(|item| item.item_id == key).map_or(key, |item| &item.title)
}

fn reply_table(shop: &Shop, recommendations: &[pb::Recommendation]) -> comfy_table::Table {
    recommendation_table(recommendations.iter().map(|recommended| {
        let reasons: Vec<&str> = recommended.reasons.iter().map(|r| r.text.as_str()).collect();
        [
            recommended.item_id.clone(),
            title(shop, &recommended.item_id).to_owned(),
            format!("{:.3}", recommended.score),
            reasons.join("\n"),
        ]
    }))
}
