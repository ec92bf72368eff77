"""What Rootstock is made of: lanes, kinds of jobs, verticals, events and what else the platform finds by a dotted path.

A new vertical, lane or kind of job begins with a line here: neither `rootstock` nor `workers` imports `apps`.
"""

from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class Lane:
    """One interactive lane: who serves it, in which worker process, and its limits."""

    handler: str
    group: str  # "language" needs the base model; "score" does not
    max_batch: int = 64
    queue_limit: int = 512
    deadline_s: float = 5.0
    streams: bool = False
    threads: int = 1  # streams run one thread each
    sealed: bool = False  # what travels is personal data: encrypted on its way through Valkey


@dataclass(slots=True, frozen=True)
class JobKind:
    """One kind of background job: its function, the queue whose workers run it, and how it is treated."""

    run: str  # dotted path of function(JobHandle) -> result
    queue: str
    label: str
    scope: str  # who may start one, and so start it again
    kept: str = ""  # what of an attempt stays when it ends early, for the reader
    priority: int = 1  # see rootstock.jobs.models.Priority
    max_attempts: int = 5
    page: str = ""  # name of the page that shows one, where it has a page of its own
    params: str = ""  # dotted path of the pydantic model of its parameters; with one it can be scheduled
    ended: str = ""  # dotted path of function(Job), called in the transaction in which one ends
    evidence: bool = False  # kept for good: it is part of what the organisation has to prove


@dataclass(slots=True, frozen=True)
class Vertical:
    """One vertical: its routes, pages and part in the demo."""

    label: str
    router: str
    urls: str
    demo: str
    overview: str = ""  # (organisation=...) -> list[Tile]: what the home page tells of it
    privacy: str = ""  # a rootstock.privacy.holdings.Holdings: the personal data it holds
    pages: tuple[
        tuple[str, str, str], ...
    ] = ()  # label, path and scope: what the palette offers beside the area
    search: str = ""  # (organisation=..., text=...) -> list[Found]: what the command palette finds
    # Of `<folder>/<organisation>/<name>/<file>` in storage the folder, and (name) -> QuerySet: the rows that need it
    contents: tuple[tuple[str, str], ...] = ()


LANE_GROUPS = ("language", "score")
LANES: dict[str, Lane] = {
    "ehr.deidentify": Lane(
        "apps.ehr.handlers.DeidentifyHandler", "language", max_batch=8, deadline_s=60.0, sealed=True
    ),
    "fraud.explain": Lane(
        "apps.fraud.handlers.ExplainHandler", "score", max_batch=4, queue_limit=64, deadline_s=15.0
    ),
    "fraud.score": Lane(
        "apps.fraud.handlers.ScoreHandler", "score", max_batch=256, queue_limit=2048, deadline_s=2.0
    ),
    # Each stream has a thread, asleep but for a moment at each of its tokens; the engine sets their order. There are
    # as many as the engine lets wait: no organisation may have more than an eighth (gateway.budgets.most_streams).
    "gateway.generate": Lane(
        "workers.gateway.GenerateHandler",
        "language",
        queue_limit=256,
        deadline_s=600.0,
        streams=True,
        threads=512,
        sealed=True,
    ),
    "gateway.embed": Lane(
        "workers.gateway_embed.EmbedHandler",
        "language",
        max_batch=8,
        queue_limit=2048,
        deadline_s=600.0,
        sealed=True,
    ),
    "registry.evaluate": Lane(
        "workers.evaluating.EvaluateHandler", "language", max_batch=16, deadline_s=600.0, sealed=True
    ),
    "registry.names": Lane(
        "workers.names.NamesHandler", "language", max_batch=16, deadline_s=600.0, sealed=True
    ),
    "registry.probe": Lane("workers.probing.ProbeHandler", "language", max_batch=1, deadline_s=60.0),
    "support.emotion": Lane(
        "apps.support.handlers.EmotionHandler", "language", max_batch=32, deadline_s=10.0, sealed=True
    ),
    "support.reply": Lane(
        "apps.support.handlers.ReplyHandler",
        "language",
        queue_limit=64,
        deadline_s=60.0,
        streams=True,
        threads=8,
        sealed=True,
    ),
}
JOB_KINDS: dict[str, JobKind] = {
    "ehr.ingest": JobKind(
        "apps.ehr.ingest.ingest",
        "general",
        "Read a FHIR Bundle",
        "ehr:write",
        kept="A Bundle is stored whole or not at all; notes that were read for identifiers stay read.",
    ),
    "adapters.train": JobKind(
        "workers.trainer.service.train",
        "adaptation",
        "Train an adapter",
        "adapters:write",
        kept="Nothing is registered before the training has ended; it goes on from its last checkpoint.",
        page="training",
        params="rootstock.adaptation.schemas.TrainParams",
    ),
    "bases.train": JobKind(
        "workers.trainer.bases.train",
        "adaptation",
        "Train a base",
        "adapters:write",
        kept="Nothing is registered before the training has ended; it goes on from its last checkpoint.",
        page="training",
        params="rootstock.adaptation.base_schemas.BaseTrainParams",
    ),
    "adapters.evaluate": JobKind(
        "rootstock.registry.evaluation.evaluate",
        "general",
        "Evaluate an adapter",
        "adapters:write",
        kept="Nothing; an evaluation is stored whole or not at all.",
    ),
    "adapters.intake": JobKind(
        "rootstock.registry.intake.intake",
        "general",
        "Check an uploaded adapter",
        "adapters:write",
        kept="Nothing is registered before every check has passed.",
        ended="rootstock.registry.uploads.intake_ended",
    ),
    "datasets.report": JobKind(
        "rootstock.registry.datasets.reporting.make",
        "general",
        "Look through a data set",
        "adapters:write",
        kept="Nothing; a report is stored whole or not at all.",
        priority=2,
    ),
    "datasets.names": JobKind(
        "rootstock.registry.datasets.names.find",
        "language",  # it waits for that worker's engine: on the general queue others would wait for it
        "Look for names in a data set",
        "adapters:write",
        kept="Nothing; which lines hold names is stored whole or not at all.",
        priority=2,
        max_attempts=8,  # a worker that starts anew is waited for
    ),
    "files.scan": JobKind(
        "rootstock.files.jobs.scan",
        "general",
        "Check an uploaded file",
        "files:write",
        kept="The file stays in quarantine until its checks have ended.",
    ),
    "audit.verify": JobKind(
        "rootstock.audit.verifying.verify",
        "general",
        "Verify the audit trail",
        "audit:read",
        kept="Verifying changes nothing; it starts from the first root again.",
        params="rootstock.jobs.schemas.NoParams",
    ),
    "audit.export": JobKind(
        "rootstock.audit.exporting.export",
        "general",
        "Export the audit trail",
        "audit:read",
        kept="Nothing; the file is stored whole or not at all.",
        params="rootstock.audit.exporting.ExportParams",
    ),
    "fraud.score_batch": JobKind(
        "apps.fraud.batches.score",
        "score",
        "Score a batch of payments",
        "fraud:write",
        kept="Payments that have a decision keep it; only the others are scored.",
        priority=2,
    ),
    "fraud.backfill": JobKind(
        "apps.fraud.backfill.run",
        "score",
        "Store historic payments",
        "fraud:write",
        kept="Payments that were stored stay, and are known when the file is sent again; nothing else of it does.",
        priority=2,
        ended="apps.fraud.backfill.ended",
    ),
    "fraud.backtest": JobKind(
        "apps.fraud.rules.backtest.run",
        "score",
        "Try fraud rules on history",
        "fraud:rules",
        kept="Nothing; a back-test changes nothing and begins anew.",
        priority=2,
    ),
    "fraud.find_cycles": JobKind(
        "apps.fraud.cycles.searching.run",
        "general",
        "Search payments for cycles",
        "fraud:write",
        kept="Nothing; what a search finds is stored whole or not at all.",
        params="apps.fraud.cycles.schemas.CycleSearchIn",
        priority=2,
    ),
    "fraud.train_model": JobKind(
        "apps.fraud.bundles.training.train",
        "adaptation",
        "Train a fraud model",
        "fraud:write",
        kept="Nothing is registered before the training has ended; a later attempt begins anew.",
        priority=2,
    ),
    "privacy.export": JobKind(
        "rootstock.privacy.export.export",
        "general",
        "Export one person's data",
        "privacy:write",
        kept="Nothing; the archive is stored whole or not at all.",
        ended="rootstock.privacy.requests.export_ended",
        evidence=True,
    ),
}
# Whose key seals the words that people write about a decision: function(id of the thing decided on) -> SubjectKey.
AUDIT_PERSONS = {
    "note": "apps.ehr.evidence.person_of_note",
    "patient": "apps.ehr.evidence.person_of_patient",
    "payment": "apps.fraud.evidence.person_of_payment",
    "turn": "apps.support.evidence.person_of_turn",
}
# Whatever is kept under a master key: dotted paths of `privacy.wrapping.Wrapper`. Rotation knows nothing else.
MASTER_KEY_WRAPPERS = (
    "rootstock.privacy.rotation.INDEX_KEYS",
    "rootstock.privacy.rotation.SUBJECT_KEYS",
    "rootstock.webhooks.retention.SECRETS",
    "rootstock.idempotency.services.ANSWERS",
)
# Where the console shows a thing that an audit entry names: the page's name, which takes the thing's id.
AUDIT_OBJECT_PAGES = {
    "adapter": "adapter",
    "adapter_upload": "adapter-upload-page",
    "alias": "alias",
    "dataset": "dataset",
    "ehr.patient": "privacy-subject",
    "ehr.resource": "privacy-subject",
    "fraud.account": "privacy-subject",
    "privacy_request": "privacy-request",
    "promotion": "promotion",
    "support.customer": "privacy-subject",
    "support.visitor": "privacy-subject",
    "continual_plan": "continual-plan",
    "continual_run": "continual-run",
    "conversation": "support:conversation",
    "decision": "audit-decision",
    "job": "job",
    "patient": "ehr:patient",
    "payment": "fraud:payment",
}
# What endpoints can ask to be told. The data of every event is ids: what it is about is read over REST.
WEBHOOK_EVENTS: dict[str, str] = {
    "adapter.refused": "An uploaded adapter did not pass a check",
    "adapter.registered": "An adapter was trained or uploaded and can be used",
    "adapter.retired": "An adapter is no longer served",
    "alias.rolled_back": "An alias serves again what it served before",
    "audit.chain_broken": "A verification found the audit trail broken",
    "base.registered": "A base was trained and can be served",
    "dataset.created": "A data set was uploaded",
    "ehr.import_completed": "A FHIR Bundle was read to the end",
    "file.clean": "An uploaded file passed every check",
    "file.refused": "An uploaded file did not pass a check",
    "fraud.cycles_found": "A search found cycles of payments that no search had found before",
    "fraud.list_changed": "Somebody or something was put on a list of payments, or taken off it",
    "fraud.model_changed": "Another model scores payments",
    "fraud.model_refused": "A fraud model was not agreed to, or its request withdrawn",
    "fraud.model_requested": "Somebody asked that a fraud model scores payments",
    "fraud.model_trained": "A fraud model was trained on the organisation's own payments",
    "fraud.payment_declined": "A payment was declined: by list, rules or model, with codes and typologies",
    "fraud.payment_labelled": "A payment was labelled as fraud or as genuine",
    "fraud.payment_review": "A payment needs a look: by rules or model, with codes and typologies",
    "fraud.rules_changed": "Other fraud rules are in force",
    "fraud.rules_refused": "Fraud rules were not agreed to, or withdrawn",
    "fraud.rules_requested": "Somebody asked that fraud rules come into force",
    "job.cancelled": "A job was stopped",
    "job.failed": "A job failed",
    "job.started": "A job began",
    "job.succeeded": "A job ended well",
    "person.activated": "A member may sign in again",
    "person.deactivated": "A member may no longer sign in",
    "person.invited": "Somebody was invited",
    "person.joined": "A person became a member",
    "person.removed": "A member was taken out of the organisation",
    "person.role_changed": "A member has another role",
    "privacy.request_created": "An export or an erasure of a person's data was asked for",
    "privacy.subject_erased": "A person's data was erased",
    "promotion.approved": "A second person agreed: an alias serves another version",
    "promotion.refused": "A second person did not agree to a promotion",
    "promotion.requested": "Somebody asked that an alias serves another version",
    "promotion.withdrawn": "A promotion was withdrawn by who asked for it",
    "support.conversation_closed": "A conversation was closed",
    "webhook.test": "A test, sent from the webhook's page",
}
# The personal data that the platform itself holds of persons of any kind; a vertical names its own below.
PLATFORM_HOLDINGS = ("rootstock.files.privacy.HOLDINGS", "rootstock.registry.privacy.HOLDINGS")
VERTICALS: dict[str, Vertical] = {
    "fraud": Vertical(
        "Fraud",
        "apps.fraud.api.router",
        "apps.fraud.urls",
        "apps.fraud.demo.play",
        "apps.fraud.overview.tiles",
        privacy="apps.fraud.privacy.HOLDINGS",
        pages=(
            ("Models of payments", "models/", "fraud:read"),
            ("Cycles of payments", "cycles/", "fraud:read"),
        ),
        search="apps.fraud.finders.find",
        contents=(("fraud-models", "apps.fraud.bundles.contents.versions_of"),),
    ),
    "ehr": Vertical(
        "Records",
        "apps.ehr.api.router",
        "apps.ehr.urls",
        "apps.ehr.demo.play",
        "apps.ehr.overview.tiles",
        privacy="apps.ehr.privacy.HOLDINGS",
        pages=(("Imports of records", "imports", "ehr:read"),),
        search="apps.ehr.finders.find",
    ),
    "support": Vertical(
        "Support",
        "apps.support.api.router",
        "apps.support.urls",
        "apps.support.demo.play",
        "apps.support.overview.tiles",
        privacy="apps.support.privacy.HOLDINGS",
        pages=(("New conversation", "new", "support:write"),),
        search="apps.support.finders.find",
    ),
}
# The module whose desk shows adaptation in the demo: `dataset()`, `TRAINING`, `play_adapted(api, show, adapter)`.
DEMO_ADAPTATION = "apps.support.demo"
# What beat sends, and every how many seconds; what was not begun by the next time is not done twice.
TIMETABLE: dict[str, tuple[str, float]] = {
    "forget-idempotency-keys": ("rootstock.idempotency.tasks.purge_requests", 3600.0),
    "forget-counted-calls": ("rootstock.gateway.tasks.purge_calls", 3600.0),
    "purge-accounts": ("rootstock.accounts.tasks.purge_accounts", 86400.0),
    "expire-artefacts": ("rootstock.jobs.tasks.expire_artefacts", 3600.0),
    "purge-jobs": ("rootstock.jobs.tasks.purge_jobs", 86400.0),
    "sweep-webhook-deliveries": ("rootstock.webhooks.tasks.sweep_deliveries", 5.0),
    "purge-webhook-events": ("rootstock.webhooks.tasks.purge_events", 3600.0),
    "enforce-retention": ("rootstock.privacy.tasks.enforce_retention", 21600.0),
    "expire-exports": ("rootstock.privacy.tasks.expire_archives", 3600.0),
    "sweep-files": ("rootstock.files.tasks.sweep_files", 300.0),
    "sweep-adapters": ("rootstock.registry.tasks.sweep_adapters", 300.0),
    "sweep-orphaned-content": ("rootstock.files.tasks.sweep_orphans", 86400.0),
    "advance-continual-adaptation": ("rootstock.adaptation.tasks.advance_continual", 5.0),
    "expire-lost-answers": ("apps.support.tasks.expire_answers", 15.0),
}
