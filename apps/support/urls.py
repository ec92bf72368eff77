"""Pages of the support vertical, at /support/."""

from django.urls import path

from apps.support import views

app_name = "support"
urlpatterns = [
    path("", views.conversation_list, name="list"),
    path("new", views.conversation_new, name="new"),
    path("<uuid:conversation_id>/", views.conversation_page, name="conversation"),
    path("<uuid:conversation_id>/emotions", views.conversation_emotions, name="emotions"),
    path("<uuid:conversation_id>/messages", views.message_post, name="message"),
    path("<uuid:conversation_id>/close", views.conversation_close, name="close"),
]
