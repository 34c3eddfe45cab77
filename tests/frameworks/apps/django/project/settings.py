"""The settings of a small project. Those of docs/python.md are appended."""

ROOT_URLCONF = "project.urls"
SECRET_KEY = "not a secret"
ALLOWED_HOSTS = ["*"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"]
