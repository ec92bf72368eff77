"""Settings, read from the environment. A wrong value stops the start with the variable's name.

What the platform is made of (LANES, JOB_KINDS, VERTICALS and so on) stands in `rootstock.catalogue`.
"""

import os
from datetime import timedelta
from pathlib import Path

from django.conf.global_settings import PASSWORD_HASHERS as DJANGO_HASHERS
from django.core.exceptions import ImproperlyConfigured

from rootstock import embedded
from rootstock.catalogue import (  # noqa: F401  (settings as well)
    AUDIT_OBJECT_PAGES,
    AUDIT_PERSONS,
    DEMO_ADAPTATION,
    JOB_KINDS,
    LANE_GROUPS,
    LANES,
    MASTER_KEY_WRAPPERS,
    PLATFORM_HOLDINGS,
    TIMETABLE,
    VERTICALS,
    WEBHOOK_EVENTS,
)
from rootstock.engine_settings import *  # noqa: F403  (settings as well)
from rootstock.log_setup import logging_setup
from rootstock.operator.unfold import UNFOLD  # noqa: F401  (a setting as well)
from rootstock.privacy import keyring
from rootstock.secret import local_secret
from rootstock.variables import (
    choice,
    clamd,
    database,
    domains,
    env,
    file_storage,
    hosts_and_networks,
    integer,
    origin,
    together,
)

BASE_DIR = Path(__file__).resolve().parents[2]

# --- where things are -------------------------------------------------------------------------------------
VAR_DIR = Path(os.environ.get("ROOTSTOCK_VAR", BASE_DIR / "var")).resolve()
PRODUCTION = choice("ROOTSTOCK_ENV", "local", ("local", "production")) == "production"
DEBUG = False
MODELS_DIR = VAR_DIR / "models"
ADAPTERS_DIR = VAR_DIR / "adapters"
RUN_DIR = Path(os.environ.get("ROOTSTOCK_RUN", VAR_DIR / "run")).resolve()
BASE_MODEL = os.environ.get("ROOTSTOCK_BASE_MODEL", "smollm2-135m-instruct")
BASE_SOURCE = os.environ.get("ROOTSTOCK_BASE_SOURCE", "")  # what it was quantized from, if that is kept

# --- secrets ----------------------------------------------------------------------------------------------
if PRODUCTION and not os.environ.get("ROOTSTOCK_SECRET_KEY"):
    raise ImproperlyConfigured("ROOTSTOCK_SECRET_KEY: required when ROOTSTOCK_ENV=production")
SECRET_KEY = os.environ.get("ROOTSTOCK_SECRET_KEY") or local_secret(VAR_DIR / "secret-key")
if PRODUCTION and not os.environ.get(keyring.VARIABLE):
    raise ImproperlyConfigured(f"{keyring.VARIABLE}: required when ROOTSTOCK_ENV=production")
# What the keys of persons are wrapped with: the variable's text, or the file that holds the same.
MASTER_KEYS: str | Path = os.environ.get(keyring.VARIABLE) or VAR_DIR / "master-keys"
if isinstance(MASTER_KEYS, Path):
    local_secret(MASTER_KEYS, lambda: keyring.new_key("local-1"))
else:
    keyring.parse(MASTER_KEYS)
# Signs certificates: the base64 of an Ed25519 private key's 32 bytes.
SIGNING_KEY = os.environ.get("ROOTSTOCK_SIGNING_KEY") or local_secret(
    VAR_DIR / "signing-key", keyring.new_secret
)
if not keyring.is_secret(SIGNING_KEY):
    raise ImproperlyConfigured("ROOTSTOCK_SIGNING_KEY: expected the base64 of 32 bytes")
ALLOWED_HOSTS = env.list("ROOTSTOCK_HOSTS", default=[] if PRODUCTION else ["*"])
CSRF_TRUSTED_ORIGINS = env.list("ROOTSTOCK_ORIGINS", default=[])

# --- services: external by URL, else the embedded ones under VAR_DIR -----------------------------------------
_services = embedded.urls(VAR_DIR)
REDIS_URL = os.environ.get("REDIS_URL") or _services.redis_url

DATABASES = {
    # The application's role: no superuser, no BYPASSRLS. Row-level security holds for every query of it.
    "default": database(
        "DATABASE_URL",
        _services.database_url,
        pool={"min_size": 0, "max_size": integer("ROOTSTOCK_DB_POOL", 24, 1), "timeout": 3},
    )
    | {"CONN_HEALTH_CHECKS": True},
    # The owner of the tables: migrations only.
    "admin": database("DATABASE_ADMIN_URL", _services.database_admin_url),
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Django -----------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "rootstock.operator",  # before django-unfold, whose templates it replaces
    "unfold.apps.BasicAppConfig",  # before the admin, whose templates it replaces
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_celery_beat",
    "django_htmx",
    "csp",
    "rootstock.accounts",  # before allauth, whose templates it replaces
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.idp.oidc",
    "axes",
    "rootstock.audit",
    "rootstock.privacy",
    "rootstock.webhooks",
    "rootstock.files",
    "rootstock.idempotency",
    "rootstock.registry",
    "rootstock.adaptation",
    "rootstock.jobs",
    "rootstock.gateway",
    "rootstock.console",
    "rootstock.operations",
    "apps.fraud",
    "apps.ehr",
    "apps.support",
]
MIDDLEWARE = [
    "rootstock.middleware.RequestIdMiddleware",
    "rootstock.access.AccessMiddleware",
    "rootstock.middleware.NoStoreMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "rootstock.edge.ApiEdgeMiddleware",
    # A program's request ends here; what follows serves browsers.
    "rootstock.shortcut.ProgramShortcutMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "rootstock.edge.PageEdgeMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "axes.middleware.AxesMiddleware",
    "rootstock.accounts.middleware.OrganisationMiddleware",
    "rootstock.accounts.rendered_for.RenderedForMiddleware",
    "rootstock.middleware.DomainErrorMiddleware",
]
ROOT_URLCONF = "rootstock.urls"
WSGI_APPLICATION = "rootstock.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["rootstock.accounts.templatetags.rendered_for"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "rootstock.console.context.shell",
            ],
        },
    }
]
AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = [*DJANGO_HASHERS, "rootstock.accounts.hashers.RandomSecretHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
CSRF_FAILURE_VIEW = "rootstock.console.views.csrf_failure"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
SESSION_HOURS = integer("ROOTSTOCK_SESSION_HOURS", 12, 1)
SESSION_COOKIE_AGE = SESSION_HOURS * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PRODUCTION else None
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 32 * 1024 * 1024
# Who may read /metrics from another machine; without it this machine alone.
METRICS_TOKEN = os.environ.get("ROOTSTOCK_METRICS_TOKEN", "")
# Requests a minute that a caller of the API may make unless its key says otherwise; 0: any number.
API_RATE_PER_MINUTE = integer("ROOTSTOCK_API_RATE", 6000)
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
FORMAT_MODULE_PATH = ["rootstock.console.written"]
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
WHITENOISE_USE_FINDERS = not PRODUCTION
# Uploads go to disk as they come, then to the storage: a folder, or S3 with ROOTSTOCK_FILES=s3://bucket/prefix
# (credentials and region as every S3 client reads them: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, roles).
FILE_UPLOAD_HANDLERS = ["rootstock.files.uploads.HashingUploadHandler"]
FILE_INCOMING_DIR = (
    VAR_DIR / "uploads"
)  # shared by all web processes and workers: uploads in pieces wait there
# Where requests may be larger than DATA_UPLOAD_MAX_MEMORY_SIZE: forms, and beneath the last the pieces of files.
FILE_UPLOAD_PATHS = (
    "/api/v1/files",
    "/api/v1/datasets",
    "/api/v1/adapters/uploads",
    "/files/",
    "/adapters/upload",
    "/v1/files",
)
FILE_PIECES_PATH = "/api/v1/files/uploads/"
FILE_MAX_BYTES = integer("ROOTSTOCK_FILE_MAX_MB", 512, 1) * 2**20
FILE_QUOTA_BYTES = integer("ROOTSTOCK_FILE_QUOTA_MB", 20_480, 1) * 2**20  # of one organisation
FILE_INLINE_BYTES = 2**20  # up to here a file is checked while its sender waits
FILE_REFUSED_KEEP_DAYS = integer("ROOTSTOCK_FILE_REFUSED_KEEP_DAYS", 7, 1)
CLAMD = clamd("ROOTSTOCK_CLAMD")
STORAGES = {
    "default": file_storage("ROOTSTOCK_FILES", VAR_DIR / "files"),
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

# --- people: sign-in, second factors, single sign-on, mail -------------------------------------------------
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first: it refuses who is locked out
    "allauth.account.auth_backends.AuthenticationBackend",
]
SECRET_KEY_FALLBACKS = env.list("ROOTSTOCK_SECRET_KEY_FALLBACKS", default=[])
INVITATION_HOURS = integer("ROOTSTOCK_INVITATION_HOURS", 72, 1)
INVITATION_KEEP_DAYS = integer("ROOTSTOCK_INVITATION_KEEP_DAYS", 90, 1)  # once used, revoked or expired
# Valkey: limits hold for every web process together.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "cache",
    },
    # Figures that one process may show a little late.
    "local": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "local"},
}
LOCKOUT_S = integer("ROOTSTOCK_LOCKOUT_MINUTES", 15, 1) * 60
AXES_FAILURE_LIMIT = integer("ROOTSTOCK_LOCKOUT_FAILURES", 5, 1)
LOCKOUT_NAME_FAILURES = integer("ROOTSTOCK_LOCKOUT_NAME_FAILURES", 30, 1)  # from all addresses together
AXES_HANDLER = "rootstock.accounts.lockout.LockoutHandler"
AXES_COOLOFF_TIME = timedelta(seconds=LOCKOUT_S)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_USERNAME_CALLABLE = "rootstock.accounts.lockout.attempted_name"
AXES_CLIENT_IP_CALLABLE = "rootstock.accounts.lockout.client_address"
AXES_LOCKOUT_CALLABLE = "rootstock.accounts.lockout.lockout_response"
AXES_DISABLE_ACCESS_LOG = True  # sign-ins are in the audit trail
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
ALLAUTH_TRUSTED_PROXY_COUNT = integer("ROOTSTOCK_PROXIES", 0)
ACCOUNT_ADAPTER = "rootstock.accounts.sso.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "rootstock.accounts.forms.SignInForm",
    "reset_password": "rootstock.accounts.forms.ResetForm",
}
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = (
    "none"  # an invitation or the identity provider has shown that the address is theirs
)
ACCOUNT_LOGOUT_REDIRECT_URL = "login"
ACCOUNT_PRESERVE_USERNAME_CASING = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if PRODUCTION else "http"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_RATE_LIMITS = {"login": "120/m/ip", "oauth_token": "120/m/ip", "change_address": "10/h/user"}
MFA = choice("ROOTSTOCK_MFA", "optional", ("off", "optional", "required"))
MFA_ADAPTER = "rootstock.accounts.mfa.MfaAdapter"
MFA_SUPPORTED_TYPES = [] if MFA == "off" else ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = MFA != "off"
MFA_FORMS = {"add_webauthn": "rootstock.accounts.forms.PasskeyForm"}
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not PRODUCTION  # http://localhost
MFA_TOTP_TOLERANCE = 1
USERSESSIONS_TRACK_ACTIVITY = (
    False  # a write for each request; accounts.middleware notes it every few minutes
)
IDP_OIDC_ACCESS_TOKEN_EXPIRES_IN = 3600
SOCIALACCOUNT_ADAPTER = "rootstock.accounts.sso.SocialAdapter"
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
OIDC_ISSUER, _client_id, _client_secret = together(
    "ROOTSTOCK_OIDC_ISSUER", "ROOTSTOCK_OIDC_CLIENT_ID", "ROOTSTOCK_OIDC_CLIENT_SECRET"
)
# Who is not invited may enter by the domain of a verified address: "example.org=acme:auditor,…".
OIDC_DOMAINS = domains(os.environ.get("ROOTSTOCK_OIDC_DOMAINS", ""))
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "sso",
                "name": os.environ.get("ROOTSTOCK_OIDC_NAME", "Single sign-on"),
                "client_id": _client_id,
                "secret": _client_secret,
                "settings": {"server_url": OIDC_ISSUER, "email_authentication": True},
            }
        ]
        if OIDC_ISSUER
        else [],
    }
}
if OIDC_ISSUER:  # the sign-in form is answered by a redirect to it
    CONTENT_SECURITY_POLICY["DIRECTIVES"]["form-action"].append(origin("ROOTSTOCK_OIDC_ISSUER", OIDC_ISSUER))
# Without a mail server links are shown to copy, and mail is never written down.
MAIL_CONFIGURED = bool(os.environ.get("ROOTSTOCK_EMAIL_URL"))
if MAIL_CONFIGURED:
    globals().update(env.email_url("ROOTSTOCK_EMAIL_URL"))
else:
    EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
EMAIL_TIMEOUT = 5  # seconds that a request waits for the mail server at each step
DEFAULT_FROM_EMAIL = os.environ.get("ROOTSTOCK_EMAIL_FROM", "rootstock@localhost")

# --- webhooks out ------------------------------------------------------------------------------------------
# Seconds before each further attempt, with a fifth more or less by chance: about a day in all.
WEBHOOK_RETRY_S = (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 21_600, 28_800)
WEBHOOK_TIMEOUT_S = integer("ROOTSTOCK_WEBHOOK_TIMEOUT_S", 10, 1)  # for one attempt as a whole
WEBHOOK_DISABLE_AFTER_DAYS = integer("ROOTSTOCK_WEBHOOK_DISABLE_AFTER_DAYS", 5, 1)
WEBHOOK_KEEP_DAYS = integer("ROOTSTOCK_WEBHOOK_KEEP_DAYS", 30, 1)  # events and their deliveries
WEBHOOK_PORTS = tuple(env.list("ROOTSTOCK_WEBHOOK_PORTS", cast=int, default=[443, 8443]))
# Hosts and networks inside the house that webhooks may reach all the same, on any port.
WEBHOOK_ALLOW = hosts_and_networks("ROOTSTOCK_WEBHOOK_ALLOW")

# --- Celery -----------------------------------------------------------------------------------------------
# Celery spells a unix socket in its own way.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "housekeeping"  # what beat sends; a job names its own queue
CELERY_TASK_ROUTES = {
    "rootstock.webhooks.tasks.*": {"queue": "webhooks"}
}  # a receiver that hangs holds no job
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
# A worker owns a job while it renews this lease; when it dies, the job is taken up again after about so long.
JOB_LEASE_S = integer("ROOTSTOCK_JOB_LEASE_S", 15, 2)
# How many jobs one organisation may have waiting (more are refused with 429) and running at once.
JOBS_QUEUED = integer("ROOTSTOCK_JOBS_QUEUED", 1000, 1)
JOBS_RUNNING = integer("ROOTSTOCK_JOBS_RUNNING", 16, 1)
# How many answers may be written at once for an organisation whose own budget does not say it.
GATEWAY_STREAMS = integer("ROOTSTOCK_GATEWAY_STREAMS", 32, 1)
JOB_KEEP_DAYS = integer("ROOTSTOCK_JOB_KEEP_DAYS", 365, 1)  # once ended, with their events
JOB_ARTEFACT_DAYS = integer("ROOTSTOCK_JOB_ARTEFACT_DAYS", 30, 1)
JOB_ARTEFACT_BYTES = integer("ROOTSTOCK_JOB_ARTEFACT_MB", 1024, 1) * 2**20
# How long what was done waits for the root that seals it, and who outside is told of each root.
AUDIT_ROOT_S = integer("ROOTSTOCK_AUDIT_ROOT_S", 5, 1)
AUDIT_WITNESS = os.environ.get("ROOTSTOCK_AUDIT_WITNESS") or (
    "log" if PRODUCTION else str(VAR_DIR / "audit-roots.log")
)
if AUDIT_WITNESS not in ("log", "none") and not AUDIT_WITNESS.startswith(("/", "http://", "https://")):
    raise ImproperlyConfigured(
        f"ROOTSTOCK_AUDIT_WITNESS={AUDIT_WITNESS!r}: expected log, none, an absolute path or an http(s) address"
    )
# Dead workers' jobs and schedules are looked after by the beat process itself: rootstock.jobs.clock.
CELERY_BEAT_SCHEDULE = {
    name: {"task": task, "schedule": seconds, "options": {"expires": seconds}}
    for name, (task, seconds) in {
        **TIMETABLE,
        "seal-the-audit-trail": ("rootstock.audit.tasks.write_roots", AUDIT_ROOT_S),
    }.items()
}
CELERY_TIMEZONE = "UTC"

# --- logging: to standard error, one line each, with the request id and never a payload -----------------------
LOG_FORMAT = choice("ROOTSTOCK_LOG_FORMAT", "line", ("line", "json"))
LOGGING = logging_setup(LOG_FORMAT, os.environ.get("ROOTSTOCK_LOG_LEVEL", "INFO"))
