"""The nets beside boosting: what they may see, what their attention does, and that their fusion adds up."""

import numpy as np
import pytest
import torch

from models_zoo.fraud import boosting
from models_zoo.fraud.causal import NAMES
from models_zoo.fraud.events import payments
from models_zoo.fraud.experts.attention import KINDS, Attention
from models_zoo.fraud.experts.fusion import CHOSEN, EXPERTS, Fusion, balance_loss, expert_use
from models_zoo.fraud.experts.graph import GraphExpert
from models_zoo.fraud.experts.inputs import ANCHORS, EVENTS, PAYMENT, VALUES, inputs
from models_zoo.fraud.experts.rows import rows_of
from models_zoo.fraud.experts.sequence import SequenceExpert
from models_zoo.fraud.experts.training import Plan, average_precision, fit, fuse, logits
from models_zoo.fraud.generator import as_payments, generate
from models_zoo.fraud.history import SIDES, MemoryHistory, neighbourhood
from models_zoo.fraud.streams import replay, stream_surprises, table
from models_zoo.fraud.trees import read
from models_zoo.fraud.worlds import stream

NETS = {"graph": GraphExpert, "sequence": SequenceExpert}

pytestmark = pytest.mark.xdist_group("fraud-experts")  # one world


def one(sequence=1, time=1e9, payer=1, payee=2, amount=10.0, channel=0, device=0, merchant=0):
    """A payment as a tuple."""
    return (sequence, time, payer, payee, device, merchant, amount, channel)


def near(rows):
    """The neighbourhoods of a stream of tuples."""
    return replay(payments(rows)).rows(slice(None))


@pytest.fixture(scope="module")
def batch():
    return as_payments(generate(3, 120, 20))


@pytest.fixture(scope="module", params=NETS)
def net(request):
    torch.manual_seed(1)
    return NETS[request.param]().eval()


@torch.inference_mode()
def said(net, near):
    return net(inputs(near))[1]


@pytest.mark.slow
def test_it_works():
    """Trained on one small world, each net ranks frauds of later days above chance."""
    world = stream(31, 150, 40, 4.0)
    train = rows_of(world.between(7, 28), with_features=False)
    later = rows_of(world.between(30, 40), with_features=False)
    for made in NETS.values():
        lines = []
        torch.manual_seed(1)
        trained = fit(made(), train, later, Plan(epochs=3, batch=256), lines.append)
        assert len(lines) == 3
        assert average_precision(later, logits(trained, later)) > 3 * float(later.labels.float().mean())


def test_no_event_is_at_or_after_the_scored_payment(batch):
    """Nor is one of the same micro-batch that comes later in it: windows are read for all of them at once."""
    history = MemoryHistory()
    history.append(batch, stream_surprises(batch))
    micro = batch[-64:]
    found = neighbourhood(history, micro)
    for side in SIDES:
        window = getattr(found, side)
        seen = window["sequence"] > 0
        assert (window["sequence"] < micro["sequence"][:, None])[seen].all()
    assert (found.payer["sequence"][-1] >= micro["sequence"][0]).any() or (
        found.payee["sequence"] >= micro["sequence"][0]
    ).any()


def test_later_payments_change_nothing_and_earlier_ones_do(batch, net):
    cut = len(batch) - 200
    later, earlier = batch.copy(), batch.copy()
    rng = np.random.default_rng(0)
    later["amount"][cut:] = rng.random(200) * 5000
    later["payee"][cut:] = rng.permutation(later["payee"][cut:])
    earlier["amount"][:cut] *= 7
    place = slice(cut - 100, cut)
    before = said(net, replay(batch).rows(place))
    assert torch.equal(before, said(net, replay(later).rows(place)))
    assert not torch.equal(before, said(net, replay(earlier).rows(place)))


def test_identifiers_do_not_matter(batch, net):
    """Other numbers for the same accounts: the same scores."""
    renamed = batch.copy()
    names = np.random.default_rng(1).permutation(10**6)
    for side in SIDES:
        renamed[side] = np.where(batch[side] > 0, names[batch[side]] + 1, 0)
    place = slice(-100, None)
    assert torch.allclose(
        said(net, replay(batch).rows(place)), said(net, replay(renamed).rows(place)), atol=1e-5
    )


def test_padded_and_packed_are_the_same(batch, net):
    given = inputs(replay(batch).rows(slice(-50, None)))
    with torch.inference_mode():
        assert torch.allclose(net(given)[1], net(given, whole=True)[1], atol=1e-5)


def test_a_score_does_not_depend_on_its_batch(batch, net):
    whole = replay(batch).rows(slice(-20, None))
    alone = torch.cat([said(net, whole.rows(np.array([place]))) for place in range(20)])
    assert torch.allclose(alone, said(net, whole), atol=1e-5)


def test_first_payments_ever(net):
    assert torch.isfinite(said(net, near([one()]))).all()


def test_whoever_two_sides_have_met_is_one_node():
    given = inputs(
        near([one(1, payer=1, payee=9), one(2, payer=2, payee=9), one(3, payer=1, payee=2)]).rows(
            np.array([2])
        )
    )
    nodes = given.node[0][given.present[0]]
    assert len(nodes) == 2
    assert nodes.unique().numel() == 1
    assert nodes[0] >= ANCHORS


def test_an_event_between_the_two_ends_links_them():
    given = inputs(near([one(1, payer=2, payee=1), one(2, payer=1, payee=2)]).rows(np.array([1])))
    assert given.node[0, 0, -1] == 1  # the payer's counterparty is the payee
    assert given.node[0, 1, -1] == 0


def test_two_hops_see_what_one_does_not():
    """What the payer's counterparty did with the payee reaches the payer's node in the second round."""
    torch.manual_seed(0)
    far = GraphExpert(hops=2).eval()
    met = near([one(1, payer=1, payee=9), one(2, payer=9, payee=2), one(3, payer=1, payee=2)])
    apart = near([one(1, payer=1, payee=9), one(2, payer=8, payee=2), one(3, payer=1, payee=2)])
    assert not torch.allclose(said(far, met)[2], said(far, apart)[2])
    close = GraphExpert(hops=1).eval()
    close.load_state_dict(far.state_dict(), strict=False)
    assert torch.allclose(said(close, met)[2], said(close, apart)[2])


def test_ports_count_counterparties_in_order():
    rows = [one(n, 1e9 + n, payee=payee) for n, payee in enumerate((11, 12, 11, 13), start=1)]
    given = inputs(near([*rows, one(5, 1e9 + 9, payee=14)]).rows(np.array([4])))
    ports = torch.expm1(given.values[0, 0, -4:, VALUES.index("port")] * 3)
    assert ports.tolist() == pytest.approx([0, 1, 0, 2], abs=1e-4)
    assert given.values[0, 0, -4:, VALUES.index("first_meeting")].tolist() == [1, 1, 0, 1]


def test_graph_counts_what_an_average_cannot(net):
    """Two and twenty alike events differ: messages are summed."""
    few = [one(n, 1e9, payer=5, payee=7) for n in range(1, 3)] + [one(3, 1e9 + 9, payer=5, payee=7)]
    many = [one(n, 1e9, payer=5, payee=7) for n in range(1, 21)] + [one(21, 1e9 + 9, payer=5, payee=7)]
    assert not torch.allclose(said(net, near(few))[-1], said(net, near(many))[-1])


def test_shapes():
    given = inputs(near([one(1), one(2)]))
    assert given.values.shape == (2, ANCHORS, EVENTS, len(VALUES))
    assert given.payment.shape == (2, len(PAYMENT))


@pytest.mark.parametrize("kind", ["window", "topk"])
def test_attention_that_reaches_everything_is_dense(kind):
    torch.manual_seed(0)
    tokens, there = torch.randn(3, 12, 16), torch.rand(3, 12) > 0.3
    there[:, -1] = True
    dense, other = Attention(16), Attention(16, kind=kind, reach=12)
    other.load_state_dict(dense.state_dict())
    assert torch.allclose(dense(tokens, there), other(tokens, there), atol=1e-6)


def test_a_window_keeps_to_neighbours_but_for_global_tokens():
    torch.manual_seed(0)
    attention = Attention(16, kind="window", reach=2, tokens=1)
    tokens, there = torch.randn(1, 10, 16), torch.ones(1, 10, dtype=torch.bool)
    moved = tokens.clone()
    moved[0, 0] += 1
    changed = (attention(tokens, there) - attention(moved, there)).abs().amax(-1)[0] > 1e-6
    assert changed.tolist() == [True] * 3 + [False] * 6 + [True]


def test_top_k_is_sparse():
    torch.manual_seed(0)
    tokens, there = torch.randn(1, 10, 16), torch.ones(1, 10, dtype=torch.bool)
    sparse, dense = Attention(16, kind="topk", reach=2), Attention(16)
    dense.load_state_dict(sparse.state_dict())
    assert not torch.allclose(sparse(tokens, there), dense(tokens, there), atol=1e-4)


def test_another_attention_is_refused():
    with pytest.raises(ValueError, match=", ".join(KINDS)):
        Attention(16, kind="linear")


def test_what_the_experts_add_is_the_fused_logit():
    torch.manual_seed(0)
    fused = Fusion()(torch.randn(40, 3))
    assert torch.allclose(fused.parts.sum(-1), fused.logit)
    assert (fused.chosen.sum(-1) == CHOSEN).all()


@pytest.mark.slow
def test_a_fusion_uses_its_experts_evenly_and_is_no_worse_than_the_best():
    rng = torch.Generator().manual_seed(3)
    labels = torch.rand(20_000, generator=rng) < 0.02
    truth = torch.where(labels, 2.0, -3.0)
    experts = torch.stack(
        [truth + torch.randn(20_000, generator=rng) * noise for noise in (1.5, 2.0, 2.5)], 1
    )
    fusion = fuse(experts, labels, Plan(fusion_steps=300))
    with torch.inference_mode():
        fused = fusion(experts)
    use = expert_use(fused)
    assert float(use.max() - use.min()) < 0.15
    assert float(balance_loss(fused)) < 1.2

    def ap(scores):
        from models_zoo.fraud.metrics import average_precision

        return average_precision(labels.numpy(), scores.numpy())

    assert ap(fused.logit) > max(ap(experts[:, place]) for place in range(len(EXPERTS)))


@pytest.mark.slow
def test_trees_on_tensors_say_what_lightgbm_says():
    world = stream(5, 100, 25)
    rows = table(world.near)[-1500:]
    expert = boosting.load()
    wanted = expert.model.predict(rows[:, expert.columns], raw_score=True)
    with torch.inference_mode():
        found = read(boosting.FOLDER, NAMES)(torch.from_numpy(rows)).numpy()
    assert np.abs(found - wanted).max() < 1e-4
