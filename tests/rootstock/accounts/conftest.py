"""The identity provider of the tests, for this folder alone: it brings every route of the product in with it."""

from tests.fixtures.provider import live as live
