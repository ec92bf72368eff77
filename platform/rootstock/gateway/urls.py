from django.urls import path

from rootstock.gateway import engine_views, playground_views, usage_views

urlpatterns = [
    path("engine/", engine_views.engine_page, name="engine"),
    path("engine/live/", engine_views.engine_live, name="engine-live"),
    path("playground/", playground_views.playground_page, name="playground"),
    path("playground/answers", playground_views.playground_ask, name="playground-ask"),
    path("playground/answers/<uuid:stream_id>", playground_views.playground_stream, name="playground-stream"),
    path(
        "playground/answers/<uuid:stream_id>/stop", playground_views.playground_stop, name="playground-stop"
    ),
    path("usage/", usage_views.usage_page, name="usage"),
    path("usage/budget", usage_views.budget_page, name="budget"),
]
