"""The pages of records."""

from typing import Any

from apps.ehr.generator import Case


def pages_of(world: Any, patient_id: Any) -> list[str]:
    base = f"/ehr/patients/{patient_id}/"
    return [base, f"{base}timeline", f"{base}timeline?kind=vital", f"{base}notes"]


def patient_id(organisation: Any) -> Any:
    from apps.ehr.models import Patient
    from rootstock.accounts.tenancy import tenant

    with tenant(organisation):
        return Patient.objects.get().pk


def test_it_works(ingest: Any, committed_world: Any, made: Case) -> None:
    ingest(made.bundle)
    browser = committed_world.browser(committed_world.owner)
    board = browser.get("/ehr/").content.decode()
    assert made.person.family in board
    assert "High · 19" in board
    pages = [browser.get(url) for url in pages_of(committed_world, patient_id(committed_world.organisation))]
    assert {page.status_code for page in pages} == {200}
    overview = pages[0].content.decode()
    for words in ("Respiration rate", "26 /min", "New confusion", "39.2 °C", "data-chart"):
        assert words in overview
    assert "imports" in browser.get("/ehr/imports").content.decode().lower()


def test_a_withheld_note_is_not_on_the_page(ingest: Any, committed_world: Any, made: Case) -> None:
    ingest(made.bundle)
    browser = committed_world.browser(committed_world.owner)
    url = f"/ehr/patients/{patient_id(committed_world.organisation)}/notes"
    page = browser.get(url).content.decode()
    assert page.count("Withheld") == 3
    assert "Harcombe" not in page
    assert made.person.relative_phone not in page
    assert 'hx-trigger="every 2s"' in page
    part = browser.get(url, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part


def test_a_ready_note_shows_chips(ingest: Any, committed_world: Any, made: Case) -> None:
    from apps.ehr.models import Note
    from rootstock.accounts.tenancy import tenant

    ingest(made.bundle)
    redactions = [{"start": 8, "end": 14, "label": "NAME", "sources": ["adapter"]}]
    with tenant(committed_world.organisation):
        for note in Note.objects.all():
            note.state, note.text, note.redactions = "ready", "Seen by [NAME] <b>", redactions
            note.model = "clinical-deid@0123"
            note.save()
    browser = committed_world.browser(committed_world.owner)
    page = browser.get(f"/ehr/patients/{patient_id(committed_world.organisation)}/notes").content.decode()
    assert 'data-label="NAME"' in page
    assert "clinical-deid@0123" in page
    assert "[NAME]" not in page
    assert "<b>" not in page


def test_empty_states_say_what_to_do(world: Any) -> None:
    browser = world.browser(world.owner)
    assert "POST /api/v1/ehr/bundles" in browser.get("/ehr/").content.decode()
    assert "Nothing fits these filters" in browser.get("/ehr/?identifier=7").content.decode()
    assert "Nothing imported yet" in browser.get("/ehr/imports").content.decode()


def test_strangers_get_nothing(ingest: Any, committed_world: Any, made: Case) -> None:
    ingest(made.bundle)
    stranger = committed_world.browser(committed_world.stranger)
    assert made.person.family not in stranger.get("/ehr/").content.decode()
    for url in pages_of(committed_world, patient_id(committed_world.organisation)):
        assert stranger.get(url).status_code == 404


def test_the_home_page_counts(ingest: Any, committed_world: Any, made: Case) -> None:
    from apps.ehr.overview import tiles

    ingest(made.bundle)
    found = {tile.label: tile.value for tile in tiles(organisation=committed_world.organisation)}
    assert found == {"Patients": "1", "At high risk": "1", "Notes withheld": "3"}
