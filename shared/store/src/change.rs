//! Writes: one conditional transaction each, with its audit record, its idempotency key and its events.

use std::fmt::Write as _;
use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::builders::{ConditionCheckBuilder, PutBuilder, UpdateBuilder};
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Delete, Put, TransactWriteItem, Update};
use backon::{ExponentialBuilder, Retryable};
use mainsheet_core::measurement::Measurement;
use mainsheet_core::{Error, Result, Timestamp};

use crate::audit::{Actor, Audit, Details, Scope, noted_in};
use crate::idempotency::{Idempotency, IdempotencyRecord, REMEMBERED_SECONDS};
use crate::key::shard_of;
use crate::outbox::{Event, OutboxEvent};
use crate::read::failed;
use crate::row::{DATA, EXPIRES, VERSION, attribute, new_item};
use crate::schema::{BY_NAME, BY_TIME, DUE_AT, DUE_SHARD};
use crate::users::Access;
use crate::{Entity, Item, Key, Row, Store, Tenant};

/// The code of a change that lost against another one of the same row.
const CHANGED_MEANWHILE: &str = "changed_meanwhile";

/// The condition that nothing counts beside an entity.
const UNCOUNTED: &str = "(attribute_not_exists(#counter) OR #counter = :zero)";

/// How many shards the due index has.
pub(crate) const DUE_SHARDS: u8 = 8;

/// A write in the making. Nothing is written before [`Change::commit`], and then all of it or nothing.
#[must_use = "nothing is written before `commit`"]
pub struct Change<'s> {
    store: &'s Store,
    audit: Option<Audit>,
    details: Option<Details>,
    /// Organizations whose trail has the record, too.
    noted_in: Vec<Tenant>,
    now: Timestamp,
    writes: Vec<TransactWriteItem>,
    /// What each write's failed condition means.
    refusals: Vec<Error>,
    /// What happens with it.
    measurements: Vec<Measurement>,
    /// The first defect met while building; `commit` answers it.
    defect: Option<Error>,
}

/// What becomes of a row's place in the due index when it is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// It stays as it is.
    Keep,
    /// It is due at this moment.
    At(Timestamp),
    /// It is not due any more.
    Never,
    /// It was due at the moment that was read, and is not any more.
    Over,
}

impl Store {
    /// Begins a change. It has to say who does what to which thing.
    pub fn change(&self, audit: Audit) -> Change<'_> {
        let emergency = matches!(audit.actor, Actor::Member { emergency_until: Some(_), .. }).then(|| audit.clone());
        let change = Change { audit: Some(audit), ..self.telemetry() };
        match emergency {
            Some(Audit { actor: Actor::Member { member_id, .. }, action, target, .. }) => {
                change.emit(Event::EmergencyUsed { member_id, action: action.to_owned(), target })
            }
            _ => change,
        }
    }

    /// Begins a look at what a change would have to stand up to: conditions alone, and nothing is written.
    pub fn conditions(&self) -> Change<'_> {
        self.telemetry()
    }

    /// Begins a write that says nothing new about who did what: an agent's log lines and previews, the counting of tries.
    pub(crate) fn telemetry(&self) -> Change<'_> {
        Change {
            store: self,
            audit: None,
            details: None,
            noted_in: Vec::new(),
            now: self.now(),
            writes: Vec::new(),
            refusals: Vec::new(),
            measurements: Vec::new(),
            defect: None,
        }
    }
}

impl Change<'_> {
    /// The moment of the change.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// What happens with the change, for whoever measures; told when it is made.
    pub(crate) fn measure(mut self, measurement: Measurement) -> Self {
        self.measurements.push(measurement);
        self
    }

    /// A new row; `taken` when the key is in use.
    pub(crate) fn create<T: Entity>(self, key: &Key, value: &T, taken: Error) -> Self {
        self.create_with(key, value, Item::new(), taken)
    }

    /// A new row with attributes beside the entity.
    pub(crate) fn create_with<T: Entity>(self, key: &Key, value: &T, beside: Item, taken: Error) -> Self {
        let put = new_item(key, value).map(|mut item| {
            item.extend(beside);
            Put::builder().set_item(Some(item)).condition_expression("attribute_not_exists(pk)")
        });
        self.push_put(put, taken)
    }

    /// A row that replaces whatever is there.
    pub(crate) fn overwrite<T: Entity>(self, key: &Key, value: &T) -> Self {
        let put = new_item(key, value).map(|item| Put::builder().set_item(Some(item)));
        self.push_put(put, changed_meanwhile())
    }

    /// The entity in place of the one that `row` was read with.
    pub(crate) fn replace<T: Entity>(self, row: &Row<T>, value: &T, due: Due) -> Self {
        self.replace_with(row, value, due, Item::new())
    }

    /// Like [`Change::replace`], and sets attributes beside the entity.
    pub(crate) fn replace_with<T: Entity>(self, row: &Row<T>, value: &T, due: Due, beside: Item) -> Self {
        self.push_replacement(replacement(row, value, due, beside))
    }

    /// Like [`Change::replace_with`], if the row is due when it was as it was read, or still is not due at all, too.
    pub(crate) fn replace_unmoved<T: Entity>(self, row: &Row<T>, value: &T, due: Due, beside: Item) -> Self {
        let update = replacement(row, value, due, beside).map(|update| {
            let update = update.expression_attribute_names("#due", DUE_AT);
            match row.text(DUE_AT) {
                None => update.condition_expression("#version = :expected AND attribute_not_exists(#due)"),
                Some(due_at) => update
                    .condition_expression("#version = :expected AND #due = :due")
                    .expression_attribute_values(":due", AttributeValue::S(due_at.to_owned())),
            }
        });
        self.push_replacement(update)
    }

    /// Like [`Change::replace`], if nothing counts beside the entity, too.
    pub(crate) fn replace_uncounted<T: Entity>(self, row: &Row<T>, value: &T, counter: &str) -> Self {
        let update = replacement(row, value, Due::Keep, Item::new()).map(|update| {
            update
                .condition_expression(format!("#version = :expected AND {UNCOUNTED}"))
                .expression_attribute_names("#counter", counter)
                .expression_attribute_values(":zero", AttributeValue::N("0".to_owned()))
        });
        self.push_replacement(update)
    }

    /// Like [`Change::delete`], if nothing counts beside the entity, too.
    pub(crate) fn delete_uncounted<T: Entity>(self, row: &Row<T>, counter: &str) -> Self {
        let delete = Delete::builder()
            .table_name(&self.store.table)
            .set_key(Some(row.key.to_item()))
            .condition_expression(format!("#version = :expected AND {UNCOUNTED}"))
            .expression_attribute_names("#version", VERSION)
            .expression_attribute_names("#counter", counter)
            .expression_attribute_values(":expected", AttributeValue::N(row.version.to_string()))
            .expression_attribute_values(":zero", AttributeValue::N("0".to_owned()))
            .build();
        self.push(delete.map(|delete| TransactWriteItem::builder().delete(delete).build()), changed_meanwhile())
    }

    /// Removes the row that was read.
    pub(crate) fn delete<T: Entity>(self, row: &Row<T>) -> Self {
        let delete = Delete::builder()
            .table_name(&self.store.table)
            .set_key(Some(row.key.to_item()))
            .condition_expression("#version = :expected")
            .expression_attribute_names("#version", VERSION)
            .expression_attribute_values(":expected", AttributeValue::N(row.version.to_string()))
            .build();
        self.push(delete.map(|delete| TransactWriteItem::builder().delete(delete).build()), changed_meanwhile())
    }

    /// Like [`Change::delete`], if an attribute beside the entity is still as it was read, too.
    pub(crate) fn delete_with<T: Entity>(self, row: &Row<T>, beside: &str, read: Option<&str>) -> Self {
        let delete = Delete::builder()
            .table_name(&self.store.table)
            .set_key(Some(row.key.to_item()))
            .expression_attribute_names("#version", VERSION)
            .expression_attribute_names("#beside", beside)
            .expression_attribute_values(":expected", AttributeValue::N(row.version.to_string()));
        let delete = match read {
            None => delete.condition_expression("#version = :expected AND attribute_not_exists(#beside)"),
            Some(read) => delete
                .condition_expression("#version = :expected AND #beside = :read")
                .expression_attribute_values(":read", AttributeValue::S(read.to_owned())),
        };
        self.push(delete.build().map(|delete| TransactWriteItem::builder().delete(delete).build()), changed_meanwhile())
    }

    /// Removes a row, whether it is there or not.
    pub(crate) fn remove(self, key: &Key) -> Self {
        let delete = Delete::builder().table_name(&self.store.table).set_key(Some(key.to_item())).build();
        self.push(delete.map(|delete| TransactWriteItem::builder().delete(delete).build()), changed_meanwhile())
    }

    /// A row that has to be there; `missing` when it is not.
    pub(crate) fn require(self, key: &Key, missing: Error) -> Self {
        let check = ConditionCheck::builder().set_key(Some(key.to_item()));
        self.check(check.condition_expression("attribute_exists(pk)"), missing)
    }

    /// A row that has to be as it was read.
    pub(crate) fn require_unchanged<T: Entity>(self, row: &Row<T>) -> Self {
        let check = ConditionCheck::builder()
            .set_key(Some(row.key.to_item()))
            .condition_expression("#version = :expected")
            .expression_attribute_names("#version", VERSION)
            .expression_attribute_values(":expected", AttributeValue::N(row.version.to_string()));
        self.check(check, changed_meanwhile())
    }

    /// A condition of the caller's own making.
    pub(crate) fn check(self, check: ConditionCheckBuilder, otherwise: Error) -> Self {
        let check = check.table_name(&self.store.table).build();
        self.push(check.map(|check| TransactWriteItem::builder().condition_check(check).build()), otherwise)
    }

    /// Counts up or down beside entities; the row comes into being when it is not there.
    pub(crate) fn add(self, key: &Key, counter: &str, amount: i64) -> Self {
        let update = update_of(key, Vec::new(), &[], &[(counter, amount)]);
        self.push_update(update, changed_meanwhile())
    }

    /// Sets and counts attributes beside an entity that has to be there, without a new version of it.
    pub(crate) fn annotate(self, key: &Key, sets: Item, adds: &[(&str, i64)], missing: Error) -> Self {
        let update = update_of(key, sets.into_iter().collect(), &[], adds).condition_expression("attribute_exists(pk)");
        self.push_update(update, missing)
    }

    /// A write of the caller's own making.
    pub(crate) fn update(self, update: UpdateBuilder, refused: Error) -> Self {
        self.push_update(update, refused)
    }

    /// What of a setting changes, for the trail: the fields that differ between `before` and `after`. No secrets.
    pub fn details<T: serde::Serialize>(mut self, before: Option<&T>, after: Option<&T>) -> Self {
        match Details::of(before, after) {
            Ok(details) => {
                self.details = Some(details);
                self
            }
            Err(error) => self.with_defect(error),
        }
    }

    /// The record stands in the trails of the person's organizations, too: for signing in and out.
    pub fn noted_in(mut self, access: &Access) -> Self {
        self.noted_in = noted_in(access);
        self
    }

    /// An event that other systems must hear of.
    pub fn emit(self, event: Event) -> Self {
        let Some(audit) = &self.audit else {
            return self.with_defect(Error::internal("an event of an unaudited write"));
        };
        let (key, event) = OutboxEvent::new(&audit.scope, event, self.now);
        self.create(&key, &event, changed_meanwhile())
    }

    /// Remembers the request's key, if it had one, and `result` as what came of it.
    pub fn idempotent(self, idempotency: Option<&Idempotency>, result: &str) -> Self {
        let Some(Idempotency { sender, key, request_sha256 }) = idempotency else { return self };
        let record = IdempotencyRecord {
            request_sha256: request_sha256.clone(),
            result: result.to_owned(),
            expires_at: self.now + Duration::from_secs(REMEMBERED_SECONDS),
        };
        let at_once = Error::conflict(
            "request_in_progress",
            "The same request is being handled at this moment. Send it again to get its answer.",
        );
        // A key that was forgotten may still lie in the table: DynamoDB removes expired rows within days.
        let put = new_item(&key.row(sender), &record).map(|item| {
            Put::builder()
                .set_item(Some(item))
                .condition_expression("attribute_not_exists(pk) OR #expires <= :now")
                .expression_attribute_names("#expires", EXPIRES)
                .expression_attribute_values(":now", AttributeValue::N(self.now.as_second().to_string()))
        });
        // First of all writes, because the first one that is refused decides the answer: a request that comes twice at once
        // hears that, and not that its own name is taken.
        let mut change = self.push_put(put, at_once);
        change.writes.rotate_right(1);
        change.refusals.rotate_right(1);
        change
    }

    /// Writes all of it, or nothing.
    ///
    /// # Errors
    /// What the first write whose condition failed stands for; [`Error::Unavailable`] when the table does not take it.
    pub async fn commit(self) -> Result<()> {
        let this = self.with_record();
        if let Some(defect) = this.defect {
            return Err(defect);
        }
        if this.writes.is_empty() {
            return Ok(());
        }
        let attempt = || async {
            let request = this.store.client.transact_write_items().set_transact_items(Some(this.writes.clone()));
            request.send().await.map(|_| ()).map_err(|error| meaning(error, &this.refusals))
        };
        let contended = |error: &Error| matches!(error, Error::Unavailable { internal } if internal == CONTENDED);
        attempt.retry(brief_backoff()).when(contended).await?;
        this.measurements.iter().for_each(|measurement| this.store.measure(measurement));
        Ok(())
    }

    /// With the record of who does what, in each trail that tells of it.
    fn with_record(mut self) -> Self {
        let Some(audit) = self.audit.take() else { return self };
        let record = audit.record(self.details.take(), self.now);
        let others = std::mem::take(&mut self.noted_in).into_iter().map(Scope::Tenant);
        let trails: Vec<Scope> = others.filter(|scope| *scope != audit.scope).collect();
        [audit.scope].into_iter().chain(trails).fold(self, |change, scope| {
            let (key, beside) = scope.place(&record);
            change.create_with(&key, &record, beside, changed_meanwhile())
        })
    }

    fn push_put(self, put: Result<PutBuilder>, refused: Error) -> Self {
        match put.map(|put| put.table_name(&self.store.table).build()) {
            Ok(put) => self.push(put.map(|put| TransactWriteItem::builder().put(put).build()), refused),
            Err(error) => self.with_defect(error),
        }
    }

    fn push_update(self, update: UpdateBuilder, refused: Error) -> Self {
        let update = update.table_name(&self.store.table).build();
        self.push(update.map(|update| TransactWriteItem::builder().update(update).build()), refused)
    }

    fn push_replacement(self, update: Result<UpdateBuilder>) -> Self {
        match update {
            Ok(update) => self.push_update(update, changed_meanwhile()),
            Err(error) => self.with_defect(error),
        }
    }

    fn push<E: std::fmt::Display>(mut self, write: Result<TransactWriteItem, E>, refused: Error) -> Self {
        match write {
            Ok(write) => {
                self.writes.push(write);
                self.refusals.push(refused);
                self
            }
            Err(error) => self.with_defect(Error::internal(error)),
        }
    }

    /// A change that cannot be made: `commit` answers `error` and writes nothing.
    pub(crate) fn with_defect(mut self, error: Error) -> Self {
        self.defect.get_or_insert(error);
        self
    }
}

/// A row's new contents, under the condition that it is the one that was read.
fn replacement<T: Entity>(row: &Row<T>, value: &T, due: Due, beside: Item) -> Result<UpdateBuilder> {
    let mut sets: Vec<(String, AttributeValue)> = beside.into_iter().collect();
    sets.extend(value.order().into_iter().map(|(name, text)| (name.to_owned(), AttributeValue::S(text))));
    sets.push((VERSION.to_owned(), AttributeValue::N((row.version + 1).to_string())));
    if let Some(expires_at) = value.expires_at() {
        sets.push((EXPIRES.to_owned(), AttributeValue::N(expires_at.as_second().to_string())));
    }
    if let Due::At(moment) = due {
        sets.push((DUE_SHARD.to_owned(), AttributeValue::S(due_shard(&row.key))));
        sets.push((DUE_AT.to_owned(), AttributeValue::S(moment.to_string())));
    }
    let stays = |index: &&str| sets.iter().any(|(name, _)| name == *index);
    let mut removes: Vec<&str> = [BY_NAME, BY_TIME].into_iter().filter(|index| !stays(index)).collect();
    if matches!(due, Due::Never | Due::Over) {
        removes.extend([DUE_SHARD, DUE_AT]);
    }
    sets.push((DATA.to_owned(), attribute(value)?));
    let mut update = update_of(&row.key, sets, &removes, &[])
        .condition_expression("#version = :expected")
        .expression_attribute_names("#version", VERSION)
        .expression_attribute_values(":expected", AttributeValue::N(row.version.to_string()));
    if let Some(due_at) = row.text(DUE_AT).filter(|_| due == Due::Over) {
        // A heartbeat moves the moment without a new version: what it renewed is not over.
        update = update
            .condition_expression("#version = :expected AND #due = :due")
            .expression_attribute_names("#due", DUE_AT)
            .expression_attribute_values(":due", AttributeValue::S(due_at.to_owned()));
    }
    Ok(update)
}

/// Runs a read-change-write again while it loses against other changes of the same row.
///
/// # Errors
/// What the last try answered.
pub async fn retry_races<T, F, A>(attempt: A) -> Result<T>
where
    A: FnMut() -> F,
    F: Future<Output = Result<T>>,
{
    let lost = |error: &Error| matches!(error, Error::Conflict { code, .. } if *code == CHANGED_MEANWHILE);
    attempt.retry(brief_backoff()).when(lost).await
}

/// Like [`retry_races`] for a change of what is `known` already: only further tries `read` it.
///
/// # Errors
/// What the last try answered, or reading for it.
pub async fn retry_races_from<K, T, R, G, A, F>(known: K, read: R, attempt: A) -> Result<T>
where
    R: Fn() -> G,
    G: Future<Output = Result<K>>,
    A: Fn(K) -> F,
    F: Future<Output = Result<T>>,
{
    let mut known = Some(known);
    let attempt = || {
        let known = known.take();
        async {
            let known = match known {
                Some(known) => known,
                None => read().await?,
            };
            attempt(known).await
        }
    };
    retry_races(attempt).await
}

/// A dozen tries within about a second.
pub(crate) fn brief_backoff() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(4))
        .with_max_delay(Duration::from_millis(160))
        .with_max_times(12)
}

/// The internal text of a transaction that met another one on the same rows, or was throttled.
const CONTENDED: &str = "the table's transactions contend";

pub(crate) fn changed_meanwhile() -> Error {
    Error::conflict(CHANGED_MEANWHILE, "It was changed at the same moment. Read it again and repeat the request.")
}

fn meaning(error: SdkError<TransactWriteItemsError>, refusals: &[Error]) -> Error {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return failed(error);
    };
    let reasons = cancelled.cancellation_reasons();
    let failed_condition = reasons.iter().position(|reason| reason.code() == Some("ConditionalCheckFailed"));
    match failed_condition.and_then(|index| refusals.get(index)) {
        Some(refusal) => refusal.clone(),
        None if reasons.iter().any(|reason| reason.code() == Some("TransactionConflict")) => {
            Error::unavailable(CONTENDED)
        }
        None => failed(error),
    }
}

/// `SET`, `REMOVE` and `ADD` of attributes as one update.
pub(crate) fn update_of(
    key: &Key,
    sets: Vec<(String, AttributeValue)>,
    removes: &[&str],
    adds: &[(&str, i64)],
) -> UpdateBuilder {
    let mut update = Update::builder().set_key(Some(key.to_item()));
    let (mut set, mut remove, mut add) = (String::new(), String::new(), String::new());
    for (index, (name, value)) in sets.into_iter().enumerate() {
        let _ = write!(set, "{} #s{index} = :s{index}", if index == 0 { "SET" } else { "," });
        update = update.expression_attribute_names(format!("#s{index}"), name);
        update = update.expression_attribute_values(format!(":s{index}"), value);
    }
    for (index, name) in removes.iter().enumerate() {
        let _ = write!(remove, "{} #r{index}", if index == 0 { " REMOVE" } else { "," });
        update = update.expression_attribute_names(format!("#r{index}"), *name);
    }
    for (index, (name, amount)) in adds.iter().enumerate() {
        let _ = write!(add, "{} #a{index} :a{index}", if index == 0 { " ADD" } else { "," });
        update = update.expression_attribute_names(format!("#a{index}"), *name);
        update = update.expression_attribute_values(format!(":a{index}"), AttributeValue::N(amount.to_string()));
    }
    update.update_expression(format!("{set}{remove}{add}"))
}

/// The shard of the due index that a row belongs to, always the same.
pub(crate) fn due_shard(key: &Key) -> String {
    format!("DUE#{}", shard_of(&key.sk, DUE_SHARDS))
}
