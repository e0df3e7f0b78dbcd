import django.db.models.deletion
from django.db import migrations, models


def to_rows(apps, schema_editor):
    """Of every crawl, also of those that run: what is known is not asked for again."""
    jobs, rows = apps.get_model("crawler", "CrawlJob"), apps.get_model("crawler", "CrawlRobots")
    for pk in list(jobs.objects.exclude(robots={}).values_list("pk", flat=True)):
        robots = jobs.objects.values_list("robots", flat=True).get(pk=pk)
        rows.objects.bulk_create(
            rows(job_id=pk, origin=origin, status=known["status"], body=known["body"])
            for origin, known in robots.items()
            if len(origin) <= 300 and known["status"] is not None
        )
    jobs.objects.exclude(robots={}).update(robots={})


def to_json(apps, schema_editor):
    jobs, rows = apps.get_model("crawler", "CrawlJob"), apps.get_model("crawler", "CrawlRobots")
    for job in jobs.objects.filter(pk__in=rows.objects.values("job")).iterator(20):
        known = rows.objects.filter(job=job).order_by("id")
        job.robots = {row.origin: {"status": row.status, "body": row.body} for row in known}
        job.save(update_fields=["robots"])


class Migration(migrations.Migration):
    dependencies = [
        ("crawler", "0010_conditional"),
    ]

    operations = [
        migrations.CreateModel(
            name="CrawlRobots",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("origin", models.CharField(max_length=300)),
                ("status", models.PositiveSmallIntegerField()),
                ("body", models.TextField(blank=True)),
                (
                    "job",
                    # `robots` is still the name of the JSON that the next migration removes.
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="crawler.crawljob"
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
                "constraints": [models.UniqueConstraint(fields=("job", "origin"), name="robots_once_per_job")],
            },
        ),
        migrations.RunPython(to_rows, to_json, elidable=True),
    ]
