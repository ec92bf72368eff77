"""A seeded world of people, companies and shops that pay each other; `models_zoo.fraud.generator` is its door.

`population` says who there is, `world` holds them and draws by chance; `everyday`, `business` and `lookalikes` are the
honest side, `theft` and `laundering` the other one, `frauds` says how much of it there is and when it is reported.
Everything is invented; no real person, account or data set stands behind it.
"""
