# The services' images, and that of the command, which audits. What is deployed is a
# digest; a tag only finds it, and never moves.

locals {
  command     = "orderly"
  image_names = setunion(local.services, [local.command])

  # What an image is made of beside what all are made of.
  own_sources = merge(
    { for service in local.services : service => ["services/${service}/**"] },
    { (local.command) = ["libs/orderly/**", "services/*/pyproject.toml", "services/*/src/**"] },
  )

  # It is built again when, and only when, one of these changes.
  sources = {
    for name in local.image_names : name => flatten([
      for pattern in concat([
        "pyproject.toml",
        "uv.lock",
        "libs/chassis/**",
        "libs/contracts/**",
        "services/Dockerfile",
        ], local.own_sources[name]) : [
        for file in fileset("${path.module}/..", pattern) : file
        if !strcontains(file, "__pycache__") && !strcontains(file, ".egg-info")
      ]
    ])
  }

  image_tags = {
    for name in local.image_names : name => (
      var.build_images
      ? substr(sha256(join("\n", concat(
        [var.cpu_architecture],
        [for file in local.sources[name] : "${file} ${filesha256("${path.module}/../${file}")}"],
      ))), 0, 16)
      : var.image_tag
    )
  }

  images = {
    for name, repository in aws_ecr_repository.service : name => {
      uri            = "${repository.repository_url}@${data.aws_ecr_image.service[name].image_digest}"
      repository_arn = repository.arn
    }
  }
}

resource "aws_ecr_repository" "service" {
  for_each = local.image_names

  name                 = "${local.name}/${each.key}"
  image_tag_mutability = "IMMUTABLE"
  force_delete         = !var.protect

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "AES256"
  }
}

resource "aws_ecr_lifecycle_policy" "service" {
  for_each = aws_ecr_repository.service

  repository = each.value.name
  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "What a push without a tag leaves"
        selection = {
          tagStatus   = "untagged"
          countType   = "sinceImagePushed"
          countUnit   = "days"
          countNumber = 7
        }
        action = { type = "expire" }
      },
      {
        rulePriority = 2
        description  = "The last fifty stay, to go back to"
        # Tagged ones: an index, its image and its attestations would count as three.
        selection = {
          tagStatus      = "tagged"
          tagPatternList = ["*"]
          countType      = "imageCountMoreThan"
          countNumber    = 50
        }
        action = { type = "expire" }
      },
    ]
  })
}

# Before the first deployment there is no image to run, and services that cannot start
# would not be ready to wait for one: so the first apply makes them.
resource "terraform_data" "image" {
  for_each = var.build_images ? local.image_names : []

  triggers_replace = local.image_tags[each.key]

  provisioner "local-exec" {
    working_dir = "${path.module}/.."
    interpreter = ["/bin/sh", "-euc"]
    command     = <<-EOT
      if aws ecr describe-images --region "$REGION" --repository-name "$REPOSITORY" --image-ids imageTag="$TAG" >/dev/null 2>&1; then
        exit 0 # An earlier apply pushed it, and tags do not move.
      fi
      command -v docker >/dev/null || { echo "Docker is needed to build images: install it, or set build_images = false and image_tag." >&2; exit 1; }
      aws ecr get-login-password --region "$REGION" | docker login --username AWS --password-stdin "$${URL%%/*}"
      docker buildx build --platform "$PLATFORM" --build-arg SERVICE="$SERVICE" --file services/Dockerfile --provenance=false --tag "$URL:$TAG" --push .
    EOT

    environment = {
      SERVICE    = each.key
      REGION     = var.region
      REPOSITORY = aws_ecr_repository.service[each.key].name
      URL        = aws_ecr_repository.service[each.key].repository_url
      TAG        = local.image_tags[each.key]
      PLATFORM   = var.cpu_architecture == "ARM64" ? "linux/arm64" : "linux/amd64"
    }
  }
}

# Fails the plan when nobody pushed the tag, and not the deployment half an hour later.
data "aws_ecr_image" "service" {
  for_each = aws_ecr_repository.service

  repository_name = each.value.name
  image_tag       = local.image_tags[each.key]

  depends_on = [terraform_data.image]
}
