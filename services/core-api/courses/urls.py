from django.urls import path

from courses import api, bundles_api, labels_api

urlpatterns = [
    path("api/v1/bundles/", bundles_api.Bundles.as_view()),
    path("api/v1/bundles/<slug:slug>/", bundles_api.OneBundle.as_view()),
    path("api/v1/categories/", labels_api.CategoriesView.as_view()),
    path("api/v1/tags/", labels_api.TagsView.as_view()),
    path("api/v1/courses/", api.CoursesView.as_view()),
    path("api/v1/courses/<slug:slug>/", api.CourseView.as_view()),
    path("api/v1/courses/<slug:slug>/publish/", api.PublishView.as_view()),
    path("api/v1/courses/<slug:slug>/unpublish/", api.UnpublishView.as_view()),
    path("api/v1/courses/<slug:slug>/outline/", api.OutlineView.as_view()),
    path("api/v1/courses/<slug:slug>/sections/", api.SectionsView.as_view()),
    path("api/v1/sections/<uuid:section>/", api.SectionView.as_view()),
    path("api/v1/sections/<uuid:section>/lessons/", api.LessonsView.as_view()),
    path("api/v1/lessons/<uuid:lesson>/", api.LessonView.as_view()),
]
