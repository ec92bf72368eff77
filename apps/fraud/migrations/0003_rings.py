import hashlib
from collections import defaultdict
from decimal import Decimal

import django.db.models.deletion
import rootstock.ids
from django.db import migrations, models

from rootstock.accounts.tenancy import EnableTenantPolicy

GRAVITY = ['approve', 'review', 'decline']


def group(apps, schema_editor):
    """Rings of the cycles that are there, as the search groups those that it finds."""
    cycles, steps, rings, decisions = (
        apps.get_model('fraud', name).objects.using(schema_editor.connection.alias)
        for name in ('PaymentCycle', 'CyclePayment', 'PaymentRing', 'Decision')
    )
    payments, keys = defaultdict(list), defaultdict(list)
    for cycle, payment, key in steps.values_list('cycle', 'transaction', 'transaction__payer_key').iterator():
        payments[cycle].append(payment)
        keys[cycle].append(key)
    found = defaultdict(list)
    for cycle in cycles.order_by('ended_at', 'began_at', 'pk').iterator():
        raw = b''.join(one.to_bytes(8, 'big', signed=True) for one in sorted(keys[cycle.pk]))
        found[cycle.organisation_id, hashlib.sha256(raw).hexdigest()].append(cycle)
    for (organisation, fingerprint), own in found.items():
        every, taken, rounds = {one for cycle in own for one in payments[cycle.pk]}, set(), []
        for cycle in own:
            if taken.isdisjoint(payments[cycle.pk]):
                rounds.append(cycle)
                cycle.round = len(rounds)
                taken.update(payments[cycle.pk])
        paid, returned = (sum((getattr(one, name) for one in rounds), Decimal()) for name in ('amount_in', 'amount_out'))
        decided = decisions.filter(transaction__in=every).values_list('outcome', 'score')
        outcome, score = max(decided, key=lambda one: (GRAVITY.index(one[0]), one[1]), default=('', None))
        ring = rings.create(
            organisation_id=organisation, fingerprint=fingerprint, accounts=own[0].hops, cycles=len(own),
            rounds=len(rounds), amount_in=paid, amount_out=returned,
            share_kept=float(returned / paid) if paid else 0.0, score=score, outcome=outcome,
            began_at=min(one.began_at for one in own), ended_at=max(one.ended_at for one in own),
        )
        for cycle in own:
            cycle.ring = ring
        cycles.bulk_update(own, ['ring', 'round'], 500)


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0007_mailed_invitations'),
        ('fraud', '0002_cycles'),
    ]

    operations = [
        migrations.CreateModel(
            name='PaymentRing',
            fields=[
                ('id', models.UUIDField(default=rootstock.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('fingerprint', models.CharField(max_length=64)),
                ('accounts', models.PositiveSmallIntegerField()),
                ('cycles', models.PositiveIntegerField(default=0)),
                ('rounds', models.PositiveIntegerField(default=0)),
                ('amount_in', models.DecimalField(decimal_places=2, default=0, max_digits=18)),
                ('amount_out', models.DecimalField(decimal_places=2, default=0, max_digits=18)),
                ('share_kept', models.FloatField(default=0.0)),
                ('score', models.FloatField(null=True)),
                ('outcome', models.CharField(blank=True, max_length=8)),
                ('began_at', models.DateTimeField(null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('found_at', models.DateTimeField(auto_now_add=True)),
                ('organisation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.organisation')),
            ],
        ),
        migrations.AddIndex(
            model_name='paymentring',
            index=models.Index(fields=['organisation', '-id'], name='rings_by_finding'),
        ),
        migrations.AddIndex(
            model_name='paymentring',
            index=models.Index(fields=['organisation', 'score', 'id'], name='rings_by_score'),
        ),
        migrations.AddIndex(
            model_name='paymentring',
            index=models.Index(fields=['organisation', 'amount_in', 'id'], name='rings_by_amount'),
        ),
        migrations.AddIndex(
            model_name='paymentring',
            index=models.Index(fields=['organisation', 'ended_at', 'id'], name='rings_by_end'),
        ),
        migrations.AddConstraint(
            model_name='paymentring',
            constraint=models.UniqueConstraint(fields=('organisation', 'fingerprint'), name='one_ring_per_fingerprint'),
        ),
        migrations.AddField(
            model_name='paymentcycle',
            name='ring',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='found', to='fraud.paymentring'),
        ),
        migrations.AddField(
            model_name='paymentcycle',
            name='round',
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.RunPython(group, migrations.RunPython.noop),
        migrations.AlterField(
            model_name='paymentcycle',
            name='ring',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='found', to='fraud.paymentring'),
        ),
        migrations.AddIndex(
            model_name='paymentcycle',
            index=models.Index(fields=['ring', 'id'], name='cycles_of_ring'),
        ),
        EnableTenantPolicy('paymentring'),
    ]
