-- Roles, extension and database of Rootstock. Run by psql as a superuser; running it again changes nothing.
-- rootstock      owns the database and runs migrations; not bound by row-level security, so that they see all rows
-- rootstock_app  what web and workers connect as: bound by row-level security, owns nothing
-- In containers the passwords come from the environment; embedded, the sockets' folder is private instead.

\getenv owner_password ROOTSTOCK_OWNER_PASSWORD
\getenv app_password ROOTSTOCK_APP_PASSWORD

SELECT 'CREATE ROLE rootstock' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rootstock') \gexec
SELECT 'CREATE ROLE rootstock_app' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rootstock_app') \gexec
ALTER ROLE rootstock LOGIN NOSUPERUSER NOCREATEROLE CREATEDB BYPASSRLS;
ALTER ROLE rootstock_app LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOBYPASSRLS;
\if :{?owner_password}
ALTER ROLE rootstock PASSWORD :'owner_password';
\endif
\if :{?app_password}
ALTER ROLE rootstock_app PASSWORD :'app_password';
\endif

-- In template1, so that a test's own database has it too: only a superuser may create this extension.
\connect template1
CREATE EXTENSION IF NOT EXISTS vector;
ALTER DEFAULT PRIVILEGES FOR ROLE rootstock GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO rootstock_app;
ALTER DEFAULT PRIVILEGES FOR ROLE rootstock GRANT USAGE, SELECT ON SEQUENCES TO rootstock_app;

\connect postgres
SELECT 'CREATE DATABASE rootstock OWNER rootstock'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'rootstock') \gexec
